// What the server says in English (names of pictures, refusals, and all that gradio draws beside the explorer) in the
// page's language.

const OUR_TEXTS = tables.languages[language] ?? {};
const PLACE = /\{\w+\}/;
const LIST = /(, | or )/; // between names of classes
const CLASS = "class."; // the rest of such a key is the English name
const sayings = Object.keys(OUR_TEXTS).filter((key) => /^(side|example|refused|gradio|class)\./.test(key))
  .map((key) => [key, key.startsWith(CLASS) ? key.slice(CLASS.length) : ENGLISH[key]]);
/** English sentences without places, each with the same in this language. */
const whole = new Map(sayings.filter(([, words]) => !PLACE.test(words)).map(([key, words]) => [words, OUR_TEXTS[key]]));
/** English sentences with places, as patterns. */
const sentences = sayings.filter(([, words]) => PLACE.test(words))
  .map(([key, words]) => {
    const escaped = words.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return { key, pattern: new RegExp(`^${escaped.join("(.+?)")}$`), places: words.match(/\{\w+\}/g) ?? [] };
  });

/** English of the server in the page's language; what is no sentence of ours stays as it is. */
function inOurLanguage(words) {
  if (whole.has(words)) return whole.get(words);
  for (const { key, pattern, places } of sentences) {
    const found = pattern.exec(words);
    if (!found) continue;
    return withParticles(places.reduce((said, place, i) => said.replace(place, () => inOurLanguage(found[i + 1])),
      OUR_TEXTS[key]));
  }
  return words.split(LIST).map((part) => whole.get(part) ?? part).join("");
}

/** For what is gradio's: beside a class stands its English name, which its list is searched by. */
function besideEnglish(words) {
  const own = inOurLanguage(words);
  return own !== words && OUR_TEXTS[CLASS + words] ? `${own} (${words})` : own;
}

function translateAll(from) {
  const words = document.createTreeWalker(from, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const english = words.currentNode.data.trim();
    const own = besideEnglish(english);
    if (own !== english) words.currentNode.data = words.currentNode.data.replace(english, () => own);
  }
  for (const name of ["alt", "aria-label", "title"]) {
    for (const e of from.querySelectorAll(`[${name}]`)) {
      const own = besideEnglish(e.getAttribute(name));
      if (own !== e.getAttribute(name)) e.setAttribute(name, own);
    }
  }
}

for (const column of sentences.length ? document.querySelectorAll("#afa-pick, #afa-settings") : []) {
  const translated = () => translateAll(column);
  translated();
  new MutationObserver(translated).observe(column, // gradio opens accordions and replaces words late
    { subtree: true, childList: true, characterData: true, attributeFilter: ["alt", "aria-label", "title"] });
}

if (sentences.length) {
  const toasts = document.getElementsByClassName("toast-wrap"); // gradio's: refusals; they come and go
  new MutationObserver(() => { for (const toast of toasts) translateAll(toast); })
    .observe(document.body, { subtree: true, childList: true });
}
