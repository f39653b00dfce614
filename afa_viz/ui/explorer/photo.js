// The photograph that somebody brought: this browser tab keeps it, since the server does not and no address can hold it.
// After a reload or in another language it is brought again. And of two pictures that are chosen, the last one counts,
// however long a file takes to arrive.

const photo = (() => {
  const [STORE, MARK] = ["afa-photo", "afa-photo-mark"];
  const SIDE = 1024; // pixels; the server keeps no more of a photograph, see pictures.py
  const CLOSE = 40; // milliseconds
  const picker = document.querySelector("#afa-pick");
  let newest = null; // file that was chosen last; null: another picture was
  let labels = null; // that a photograph had which is brought again
  let bringing = false;

  function stored(name) {
    try {
      return window.sessionStorage.getItem(name);
    } catch {
      return null; // no storage
    }
  }

  const asText = (blob) => new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = failed;
    reader.readAsDataURL(blob);
  });

  /** A smaller copy, as text, of a photograph that there is no room for. */
  async function smaller(file) {
    const picture = await createImageBitmap(file);
    const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
    const canvas = sheet(Math.round(picture.width * scale), Math.round(picture.height * scale));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/jpeg", 0.95);
  }

  /** Keep a file with the mark that the server gave its picture; where that fails a sentence says so after a reload. */
  async function keep(file, mark) {
    try {
      window.sessionStorage.removeItem(STORE);
      window.sessionStorage.setItem(MARK, mark);
      const put = (text) => window.sessionStorage.setItem(STORE, JSON.stringify({ name: file.name, text }));
      const text = await asText(file);
      try {
        put(text);
      } catch {
        put(await smaller(file));
      }
    } catch (error) {
      console.info(error);
    }
  }

  async function bring() {
    bringing = true;
    const { name, text } = JSON.parse(stored(STORE));
    const blob = await (await fetch(text)).blob();
    const chosen = new DataTransfer();
    chosen.items.add(new File([blob], name, { type: blob.type }));
    const input = picker.querySelector("input[type=file]");
    input.files = chosen.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  /** Another picture than a photograph was chosen. */
  function another() {
    restored ||= Boolean(wanted); // the rest of the address was the photograph's
    [newest, wanted] = [null, null];
  }

  picker?.addEventListener("click", (event) => { if (event.target.closest(".thumbnail-item")) another(); }, true);
  picker?.addEventListener("change", (event) => { if (event.target.type === "file") [newest] = event.target.files; }, true);

  // Asked by gradio with the inputs of what opens a picture, before they are sent. Questions that follow each other closely
  // may overtake each other on their way: of these only the last one is asked, the others lose their first input.
  let opened = 0;
  window.afaOpened = async (inputs) => {
    const mine = ++opened;
    await new Promise((done) => { setTimeout(done, CLOSE); });
    return mine === opened ? inputs : [null, ...inputs.slice(1)];
  };

  // The same of a file that has arrived, with its labels where it is brought again. One that was overtaken while it came
  // opens nothing.
  window.afaUploaded = ([file, , ...rest]) => {
    const fits = newest && file?.orig_name === newest.name && (file.size ?? newest.size) === newest.size;
    return fits ? window.afaOpened([file, bringing ? labels : null, ...rest]) : [null, null, ...rest];
  };

  const mark = asked.get("photo");
  let wanted = mark && stored(STORE) && stored(MARK) === mark ? mark : null; // to be brought again, until it is here

  return {
    another,
    gone: Boolean(mark) && !wanted, // the address is of one that is not kept here
    get wanted() { return wanted; },
    /** Whether an explanation must wait for the photograph, which is brought once the settings are here. */
    waits(raw) {
      if (!wanted || raw.photo) return false;
      if (raw.linked && !bringing) {
        labels = asked.get("labels")?.split(",").filter((name) => raw.names.includes(name)) ?? null;
        bring().catch((error) => {
          another();
          gone(error);
        });
      }
      return true;
    },
    /** An explanation is drawn. */
    note(raw) {
      if (!raw.photo || raw.partial) return;
      [wanted, bringing] = [null, false];
      if (newest && stored(MARK) !== raw.photo) keep(newest, raw.photo);
    },
  };
})();
