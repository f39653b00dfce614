// A static site: prepared answers come as files beside the page. Every address is relative to it.

import { use } from "./host.js";
import { preparedHost } from "./prepared.js";
import { followTheme } from "./standalone.js";
import { start as startPage } from "../main.js";

/**
 * Start the page in an element.
 *
 * @param {Element} element
 * @param {{markup: string, tables: {[name: string]: any}, images: {key: string, folder: string}[]}} site
 */
export async function start(element, { markup, tables, images }) {
  followTheme();
  const folders = new Map(images.map(({ key, folder }) => [key, folder]));
  const find = async (/** @type {string} */ name, /** @type {string} */ question, /** @type {any} */ asked) => {
    const answer = await fetch(`images/${folders.get(asked.key)}/${question}.json`);
    return answer.ok ? (await answer.json())[name] ?? null : null;
  };
  const { host, show } = preparedHost({ find, markup, tables });
  use(host);
  startPage(element);
  await show(images[0].key);
}
