// What the page is given once: its texts in every language, colours, and the limits of the settings.

/** @type {{[name: string]: any, texts: {[key: string]: string}, english: {[key: string]: string},
 *   languages: {[code: string]: {[key: string]: string}}, language: string, codes: string[], sliders: {[field: string]: number[]}}} */
export const tables = {
  texts: {}, // of the page's language, English where that lacks one
  english: {},
  languages: {}, // texts of the other languages by their codes
  language: "en",
  codes: ["en"], // of all languages
  foreground: [0, 0, 0],
  background: [0, 0, 0],
  gained: [0, 0, 0],
  lost: [0, 0, 0],
  sliders: {}, // field -> [low, high, step]
};

/**
 * Take over what the host gives, in the first of the wanted languages that there is, else in English.
 *
 * @param {{[name: string]: any}} given
 * @param {(string | null)[]} wanted
 */
export function loadTables(given, wanted) {
  Object.assign(tables, given, { english: given.texts, codes: ["en", ...Object.keys(given.languages)] });
  const codes = wanted.map((code) => (code ?? "").slice(0, 2).toLowerCase());
  tables.language = codes.find((code) => tables.codes.includes(code)) ?? "en";
  tables.texts = { ...given.texts, ...given.languages[tables.language] };
}
