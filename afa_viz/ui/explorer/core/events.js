// What happens on the page, for those who are not drawn by the schedule: "block" (another one is chosen), "view" (something
// is chosen), "tab" (a tab is opened, before it is drawn), "trace" (another explanation is here, before it is drawn).

/** @type {Map<string, (() => void)[]>} */
const listeners = new Map();

/**
 * Call a listener whenever something of this name happens.
 *
 * @param {string} name
 * @param {() => void} listener
 */
export function on(name, listener) {
  listeners.set(name, [...(listeners.get(name) ?? []), listener]);
}

/**
 * It happened.
 *
 * @param {string} name
 */
export function emit(name) {
  for (const listener of listeners.get(name) ?? []) listener();
}
