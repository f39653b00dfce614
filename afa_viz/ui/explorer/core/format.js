// Numbers as the page writes them.

import { tables } from "./tables.js";

/** 0.123 -> 12.3 %; the number and its sign stay on one line. */
export const percent = (/** @type {number | null | undefined} */ share) => (share == null ? "–" : `${(100 * share).toFixed(1)}\u00a0%`);

/** A number with its sign. */
export const signed = (/** @type {number} */ number, digits = 1) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(digits)}`;

/** A number with three significant digits. */
export const significant = (/** @type {any} */ number) => (Math.abs(number) < 1e-6 ? "0"
  : number.toLocaleString(tables.language, { maximumSignificantDigits: 3 }).replace("-", "−"));

/** 4191 -> 4,191: as the page's language writes it. */
export const groupDigits = (/** @type {any} */ number) => number.toLocaleString(tables.language);

/** A duration: ms below a second. */
export const formatSeconds = (/** @type {number} */ value) => (value < 1 ? `${Math.round(1000 * value)} ms` : `${value.toFixed(2)} s`);
