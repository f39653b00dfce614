// Types that the explorer's modules share, for the checks of `npm run types`. Nothing here runs.

/** (rows, columns), or (height, width). */
type Size = number[];
/** (row, column) on the grid of cells. */
type Cell = number[];
/** Red, green and blue from 0 to 255. */
type Colour = ArrayLike<number> & Iterable<number>;
type ColourOf = (label: number) => Colour | null;
type NameOf = (label: number) => string;
/** Maps one after the other, row by row. */
type Planes = Float32Array;
type Numbers = ArrayLike<number> & { map: any; filter: any; reduce: any };

/** A map as the host sends it: deflated bytes in base64; 0 stands for `low` and 255 for `high`. */
interface Packed { data: string; shape: number[]; low: number; high: number; band?: number }
/** The same with its bytes. */
interface Unpacked { bytes: Uint8Array; shape: number[]; low: number; high: number; band?: any }
/** One (rows, columns) map of it. */
interface Layer { bytes: Uint8Array; rows: number; cols: number; low: number; high: number }
/** Bytes on a grid, to be coloured by a table or by their label. */
interface ByteMap { bytes: Uint8Array | Uint8ClampedArray; rows: number; cols: number }

/** One attention block: place in its stage, heads, grids, and weights of its heads in the affinity, where it has any. */
interface Block { stage: number; place: number; heads: number; queries: Size; keys: Size; ratio: number; weights: any }

/** Stages of one image under some settings: `payload.stages`, its maps unpacked. */
interface Trace {
  key: string; scene: string; size: Size; grid: Size; num_blocks: number; first_block: number; labels_given: boolean; main: number;
  classes: { label: number; cell: Cell; logit: number }[]; names: string[]; palette: number[][];
  radius: number; use_walk: boolean; use_par: boolean; num_iters: number; num_steps: number; symmetric: boolean;
  low: number; high: number; chain: { bkg_score: number; power: number; eps: number; dilations: number[]; par_downscale: number; w1: number; w2: number };
  cam: Unpacked; affinity: Unpacked; cam_rw: Unpacked; cam_par: Unpacked; affinity_label: Unpacked; pseudo_label: Unpacked;
  labels: { [stage: string]: Unpacked };
  steps: { stage: string; before: string }[]; left_out: string[];
  shares: { [label: string]: { foreground: number; background: number; uncertain: number } };
  /** stage -> {iou: by label, miou}; null without a ground truth */
  scores: any;
  /** label -> precision by region; null without a ground truth */
  precision: any;
  trained_on: { affinity: string | null; decoder: string | null };
  memory: string; title: string; story: string; domain: string; link: { [name: string]: string } | null; photo: string | null;
  model: string; partial?: boolean; linked?: boolean;
  /** of which blocks and query cells a report holds the attention, where it does not hold all: see ui/report/held.py */
  held?: { probs: number[]; logits: number[]; queries: Cell[] | null } | null;
  /** from which label the affinity's labels are made, once the host has said so */
  cellsOf?: string;
  [field: string]: any;
}

/** What settings below the network do not change: `payload.scene`, its maps unpacked. */
interface Scene {
  key: string; image: HTMLImageElement; grey: HTMLCanvasElement; seg: Unpacked; target: any; blocks: Block[];
}

/** What is chosen; see store.js. */
interface View {
  label: number; block: number; head: number; rest: Cell; pin: Cell | null; hover: Cell | null; iteration: number | null;
  shared: boolean; opacity: number; logits: boolean; tab: string; step: string; shownLabel: string; picked: boolean;
  home: boolean; guessing: boolean;
}

/** Settings of the pipeline: ExplainConfig's, with PAR's w1 and w2 and the walk's eps. */
interface Settings {
  low: number; high: number; bkg_score: number; radius: number; power: number; eps: number; num_steps: number; num_iters: number;
  use_walk: boolean; use_par: boolean; dilations: number[]; par_downscale: number; w1: number; w2: number;
  [name: string]: any;
}

/** What a tab, or a part of the page that is always in sight, does; see schedule.js. */
interface Hooks {
  build?: (section: any) => void; data?: () => void; selection?: () => void; opacity?: () => void; cell?: () => void;
  show?: () => void; keys?: { [key: string]: (event: KeyboardEvent) => void }; other?: () => object | null; facts?: () => string;
}

/** A tab's own share of the address. */
interface PermalinkPart { names: string[]; read: (query: URLSearchParams) => string[]; write: (query: URLSearchParams) => void }

/** Which pixels of a class two label maps do not share, and how many. */
interface Changes { kinds: Uint8Array; gained: number; lost: number; gainedWrong: number; lostWrong: number }

/** A kernel of PAR: how much every pixel takes from each of its neighbours. */
interface Kernel { weights: Float32Array; size: Size; dilations: number[] }

/** A plot's canvas with its colours and where its axes lie; see charts/axes.js. */
interface Plot {
  context: CanvasRenderingContext2D; width: number; height: number; ink: string; muted: string; accent: string; warm: string;
  x: (share: number) => number; y: (share: number) => number; share: (at: number) => number;
}

interface Phase { name: string; until: number }

/** What gradio puts on its page. */
interface Window { gradio_config?: { root?: string } }
interface Uint8ArrayConstructor { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }
