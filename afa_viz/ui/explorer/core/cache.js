// A few answers of the host, kept.

const MAX_CACHED = 12; // images, and answers of each kind

/**
 * What a loader gave for a name, or gives now; a failed load is forgotten.
 *
 * @param {Map<string, any>} answers
 * @param {string} name
 * @param {() => Promise<any>} load
 */
export function cached(answers, name, load) {
  if (!answers.has(name)) {
    if (answers.size >= MAX_CACHED) answers.delete(String(answers.keys().next().value));
    answers.set(name, load());
    answers.get(name).catch(() => answers.delete(name));
  }
  return answers.get(name);
}
