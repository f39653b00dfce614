// A few answers of the host, kept.

const MAX_CACHED = 12; // images, and answers of each kind

/**
 * What a loader gave for a name, or gives now; a failed load is forgotten.
 *
 * @template T
 * @param {Map<string, Promise<T>>} answers
 * @param {string} name
 * @param {() => Promise<T>} load
 * @returns {Promise<T>}
 */
export function cached(answers, name, load) {
  if (!answers.has(name)) {
    if (answers.size >= MAX_CACHED) answers.delete(String(answers.keys().next().value));
    const loading = load();
    answers.set(name, loading);
    loading.catch(() => answers.delete(name));
  }
  return /** @type {Promise<T>} */ (answers.get(name));
}
