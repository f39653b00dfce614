// What the server says in English (names of pictures, and all that gradio draws beside the explorer) in the page's language.

/** English sentences with places as patterns, each with the same in this language. */
const sentences = Object.entries(ENGLISH)
  .filter(([key]) => language !== "en" && /^(side|example)\./.test(key) && tables.languages[language][key])
  .map(([key, words]) => {
    const escaped = words.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return { key, pattern: new RegExp(`^${escaped.join("(.+?)")}$`), places: words.match(/\{\w+\}/g) ?? [] };
  });

/** English of the server in the page's language; what is no sentence of ours stays as it is. */
function inOurLanguage(words) {
  for (const { key, pattern, places } of sentences) {
    const found = pattern.exec(words);
    if (!found) continue;
    return places.reduce((said, place, i) => said.replace(place, () => inOurLanguage(found[i + 1])), tables.languages[language][key]);
  }
  return words;
}

for (const column of sentences.length ? document.querySelectorAll("#afa-pick, #afa-settings") : []) {
  const translated = () => {
    const words = document.createTreeWalker(column, NodeFilter.SHOW_TEXT);
    while (words.nextNode()) {
      const english = words.currentNode.data.trim();
      const own = inOurLanguage(english);
      if (own !== english) words.currentNode.data = words.currentNode.data.replace(english, () => own);
    }
    for (const name of ["alt", "aria-label", "title"]) {
      for (const e of column.querySelectorAll(`[${name}]`)) {
        const own = inOurLanguage(e.getAttribute(name));
        if (own !== e.getAttribute(name)) e.setAttribute(name, own);
      }
    }
  };
  translated();
  new MutationObserver(translated).observe(column, // gradio opens accordions and replaces words late
    { subtree: true, childList: true, characterData: true, attributeFilter: ["alt", "aria-label", "title"] });
}
