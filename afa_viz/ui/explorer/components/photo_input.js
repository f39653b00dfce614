// Ways to bring a photograph: choose a file, take one with the camera, drop it anywhere on the page, or paste it.

import { announce } from "../core/status.js";
import { tables } from "../core/tables.js";
import { text } from "../core/words.js";

const QUIET = 200; // milliseconds without a dragover: the file has left the page
const MASKED = /mask|truth|gt/i; // how masks are called

/**
 * @typedef {object} PhotoInput
 * @property {(words: string, share?: number | null) => void} progress show what goes on; share: of the file, 0 to 1; null
 *   where it cannot be told
 * @property {(words: string) => void} fail show why nothing is explained
 * @property {(words: string) => void} inform show what has been done
 * @property {() => void} clear show none of them
 * @property {(offered: boolean) => void} offerMask show the button for a mask
 */

/**
 * Build the controls in an element, and listen to the page.
 *
 * @param {Element} box
 * @param {(photograph: File, mask: File | null) => void} open called with the photograph that was chosen, and of two files
 *   with the one that is called so as its mask
 * @param {() => void} addMask called by the button for a mask
 * @param {string} [words] about the files that can be chosen; left out: what the server takes
 * @returns {PhotoInput}
 */
export function buildPhotoInput(box, open, addMask, words) {
  const { mb, megapixels, accept } = tables.uploads;
  box.innerHTML = '<label class="afa-choose"><input type="file" multiple><span></span></label>'
    + '<button type="button" class="afa-camera"></button><button type="button" class="afa-add-mask" hidden></button><small></small>'
    + '<div class="afa-sending" role="status" hidden><progress max="1"></progress><span></span></div>';
  const [input, button, info, state] = ["input", "button", "small", "div"].map((name) => box.querySelector(name));
  const file = /** @type {HTMLInputElement} */ (input);
  const [bar, line] = [/** @type {HTMLProgressElement} */ (state?.firstElementChild), /** @type {Element} */ (state?.lastElementChild)];
  file.accept = words ? "image/*" : accept;
  const label = /** @type {Element} */ (file.nextElementSibling);
  label.textContent = text("side.upload");
  const masks = /** @type {HTMLButtonElement} */ (box.querySelector(".afa-add-mask"));
  masks.textContent = text("side.add_mask");
  masks.addEventListener("click", addMask);
  if (button) button.textContent = text("side.camera");
  const formats = Object.keys(megapixels).join(", ");
  if (info) info.textContent = words ?? text("side.upload_info", { formats, mb, megapixels: megapixels.JPEG });

  const show = (said = "", failed = false, ended = failed) => {
    state?.toggleAttribute("hidden", !said);
    state?.classList.toggle("afa-failed", failed);
    bar.hidden = ended;
    line.textContent = said;
  };
  const input_ = {
    progress(/** @type {string} */ said, /** @type {number | null} */ share = null) {
      if (share == null) bar.removeAttribute("value");
      else bar.value = share;
      show(said);
    },
    fail(/** @type {string} */ said) {
      show(said, true);
      announce(said, true);
    },
    inform: (/** @type {string} */ said) => show(said, false, true),
    clear: () => show(),
    offerMask: (/** @type {boolean} */ offered) => { masks.hidden = !offered; },
  };
  const take = (/** @type {FileList | undefined} */ files) => {
    const all = [...files ?? []];
    const mask = all.length === 2 && all.find((one) => MASKED.test(one.name)) || null;
    const photographs = all.filter((one) => one !== mask);
    if (photographs.length) open(photographs[0], mask);
    else input_.fail(text("side.no_file"));
    if (photographs.length > 1) announce(text("side.one_of", { count: photographs.length }), true);
  };
  file.addEventListener("change", () => {
    if (file.files?.length) take(file.files);
    file.value = ""; // the same file may be chosen again
    file.removeAttribute("capture");
  });
  button?.addEventListener("click", () => {
    file.setAttribute("capture", "environment");
    file.click();
  });
  listenToDrops(take);
  document.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) take(event.clipboardData.files);
  });
  return input_;
}

/** @param {(files: FileList | undefined) => void} take */
function listenToDrops(take) {
  const hint = document.createElement("div");
  hint.className = "afa-drop";
  hint.textContent = text("side.drop");
  hint.hidden = true;
  document.body.append(hint);
  let timer = 0;
  const carried = (/** @type {DragEvent} */ event) => /Files|uri-list/.test(String(event.dataTransfer?.types));
  document.addEventListener("dragover", (event) => {
    if (!carried(event)) return;
    event.preventDefault();
    hint.hidden = false;
    window.clearTimeout(timer);
    timer = window.setTimeout(() => { hint.hidden = true; }, QUIET);
  });
  document.addEventListener("drop", (event) => {
    if (!carried(event)) return;
    event.preventDefault();
    hint.hidden = true;
    take(event.dataTransfer?.files);
  });
}
