// What differs between two label maps for one class: pixels gained and lost, right or wrong where the ground truth is known.

export const CHANGE = { none: 0, gained: 1, lost: 2, gainedWrong: 3, lostWrong: 4 }; // of a pixel of a difference map

/**
 * Pixels of a class that only the first or only the second label map has.
 *
 * @param {Uint8Array} old
 * @param {Uint8Array} now
 * @param {Uint8Array | null | undefined} truth
 * @param {number} label
 */
export function labelChanges(old, now, truth, label) {
  const kinds = new Uint8Array(now.length);
  const counts = [0, 0, 0, 0, 0];
  for (let i = 0; i < now.length; i++) {
    const [is, was] = [now[i] === label, old[i] === label];
    if (is === was) continue;
    const good = !truth || truth[i] === 255 || (truth[i] === label) === is;
    kinds[i] = is ? (good ? CHANGE.gained : CHANGE.gainedWrong) : (good ? CHANGE.lost : CHANGE.lostWrong);
    counts[kinds[i]]++;
  }
  const [, gained, lost, gainedWrong, lostWrong] = counts;
  return { kinds, gained: gained + gainedWrong, lost: lost + lostWrong, gainedWrong, lostWrong };
}
