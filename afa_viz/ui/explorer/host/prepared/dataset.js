// The Data set tab without a server: images with scores made beforehand, ordered and summed up as
// handlers/dataset/browse.py does.

const PAGE_SIZE = 24; // images
const STAGES = ["walk_start", "cam_rw", "cam_refined", "cam_par", "seg"];
const SAME = 0.0005; // of a score: shown as 0.0 points

/** @typedef {{id: string, title: string, labels: string[], miou: DataCard["miou"], iou: DataCard["iou"], broken: boolean,
 *   image: string}} Scored */
/** @typedef {{order: string, stage: string, before: string, class_name: string, page: number, ids?: string[] | null}} ListingQuery */

/** A stage's score of an image, or of one class in it; null where it is not known. */
function scoreOf(/** @type {Scored} */ image, /** @type {string} */ stage, /** @type {string} */ name) {
  return (name ? image.iou?.[stage]?.[name] : image.miou?.[stage]) ?? null;
}

/** The scores after and before, where both are known. */
function pairOf(/** @type {Scored} */ image, /** @type {ListingQuery} */ { stage, before, class_name: name }) {
  const [now, old] = [scoreOf(image, stage, name), scoreOf(image, before, name)];
  return now == null || old == null ? null : { now, old };
}

function sorted(/** @type {Scored[]} */ images, /** @type {ListingQuery} */ query) {
  const matching = images.filter(({ id, labels }) => (query.ids?.includes(id) ?? true)
    && (!query.class_name || labels.includes(query.class_name)));
  if (query.order === "set") return matching;
  const valueOf = (/** @type {Scored} */ image) => {
    if (query.order === "worst" || query.order === "best") return scoreOf(image, query.stage, query.class_name);
    const pair = pairOf(image, query);
    return pair && pair.now - pair.old;
  };
  const sign = query.order === "best" || query.order === "gained" ? -1 : 1;
  const rank = (/** @type {number | null} */ value) => (value == null ? Infinity : sign * value);
  const ranked = matching.map((image) => ({ image, value: rank(valueOf(image)) }));
  ranked.sort((a, b) => (a.value === b.value ? 0 : a.value - b.value));
  return ranked.map(({ image }) => image);
}

function overview(/** @type {Scored[]} */ images, /** @type {ListingQuery} */ query) {
  const scored = images.filter(({ miou }) => miou && Object.keys(miou).length);
  const means = Object.fromEntries(STAGES.map((stage) => {
    const values = scored.map((image) => scoreOf(image, stage, query.class_name)).filter((value) => value != null);
    return [stage, values.length ? Number((values.reduce((a, b) => a + b, 0) / values.length).toFixed(4)) : null];
  }));
  const changes = scored.flatMap((image) => {
    const pair = pairOf(image, query);
    return pair ? [pair.now - pair.old] : [];
  });
  return { scored: scored.length, means, compared: changes.length,
    better: changes.filter((change) => change > SAME).length, worse: changes.filter((change) => change < -SAME).length };
}

/**
 * One page of images and the summary above it, as the server sends it.
 *
 * @param {{title: string, classes: string[], images: Scored[]}} set
 * @param {ListingQuery} query
 * @returns {DataListing}
 */
export function listing({ title, classes, images }, query) {
  const found = sorted(images, query);
  const pages = Math.max(1, Math.ceil(found.length / PAGE_SIZE));
  const page = Math.min(query.page, pages - 1);
  const first = page * PAGE_SIZE;
  const broken = images.filter((image) => image.broken).length;
  return { title, classes, matching: found.length, page, pages, first, cards: found.slice(first, first + PAGE_SIZE),
    overview: overview(found, query), progress: { state: "done", known: images.length, total: images.length, broken, seconds: null } };
}

/** Pictures and labels by id. */
export function thumbnailsOf(/** @type {{images: Scored[]}} */ { images }, /** @type {string[]} */ ids) {
  return Object.fromEntries(images.filter(({ id }) => ids.includes(id)).map(({ id, image, labels }) => [id, { image, labels }]));
}
