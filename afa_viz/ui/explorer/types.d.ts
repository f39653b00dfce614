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
  /** what the method has, and what it lacks: see afa_viz/parts.py */
  parts: { stride: number; extra_tokens: number; attention: string | null; affinity: string | null; cam: string; decoder: boolean;
    labels: string; lacks: string[] };
  /** the most probable of very many classes */
  predictions: { name: string; probability: number }[] | null;
  memory: string; title: string; story: string; domain: string; link: { [name: string]: string } | null; photo: string | null;
  model: string; partial?: boolean; linked?: boolean;
  /** of which blocks and query cells a report or a site holds the attention, where it does not hold all: see ui/site/held.py */
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
  shared: boolean; opacity: number; logits: boolean; tab: string; within: string; step: string; shownLabel: string; picked: boolean;
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
  figures?: (width: number) => any[];
  charts?: () => { place: HTMLElement; picture: () => Promise<HTMLImageElement | null> }[];
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

/** An event of a control that has a value. */
type ControlEvent = Event & { target: HTMLInputElement };
/** What the host answers; see host/host.js. */
interface Answer { [field: string]: any }
/** A line of a legend: its colour or "hatch", its words, its share where it has one; see draw/legend.js. */
type LegendRow = [colour: string, words: string, share: number | null];
/** Shares of the pixels of a label. */
interface RegionShares { foreground: number; background: number; uncertain: number }

// --- strip -------------------------------------------------------------------------------------------------------------

/** A stage of the strip: the tab that it opens, and the label that it is, where it is one. */
interface StripStage { key: string; tab: string; label?: string; step?: boolean }
/** The strip as a large diagram: `lines` draws what connects its stages, `paint` what it alone shows. */
interface LargeStrip { lines: () => void; paint: { [stage: string]: (canvas: HTMLCanvasElement) => void } }
/** What a step changed, with the IoU on both sides; null where it has none. */
interface StepChange extends Changes { iou: number | null; from: number | null; to: number | null }
/** The elements of a stage, and of the arrow beside it where a step leads to it. */
interface StripItem extends StripStage {
  item: HTMLElement; canvas: HTMLCanvasElement; caption: HTMLElement; score: HTMLElement; button: HTMLButtonElement;
  arrow: { box: HTMLElement; against: HTMLElement; iou: HTMLElement; pixels: HTMLElement; canvas: HTMLCanvasElement; change: StepChange | null };
}

// --- attention and affinity --------------------------------------------------------------------------------------------

/** Affinities of a query with every cell: learned from, symmetrised, learned. */
interface AffinityRows { raw: Float32Array; symmetric: Float32Array; learned: Float32Array }
/** Which maps of a block: of all heads, of one head, or of all heads for one cell. */
interface HeadMapQuery { head?: number; cell?: Cell }
/** Maps of a block as they came: (heads, queries, keys), and the numbers that 0 and 255 of every map stand for. */
interface HeadMaps extends Unpacked { asked: HeadMapQuery; sent: number; lows: Float32Array; peaks: Float32Array }
/** Numbers of the heads of a block: by class, or one per head; of attention that is even over all keys, too. */
interface HeadNumbers {
  inside: { [label: number]: HeadValues }; entropy: number[]; distance: number[]; asymmetry: number[] | null; even_distance: number;
  [kind: string]: any;
}
/** One number per head, null where they have none, and that of even attention. */
interface HeadValues { heads: (number | null)[] | null; even: number | null }

// --- CAM, walk ---------------------------------------------------------------------------------------------------------

/** Of each of 256 cuts through a CAM: recall, precision (null where nothing is marked) and IoU; `all`: pixels of the class. */
interface CutCurves { all: number; found: number[]; right: (number | null)[]; iou: number[]; [name: string]: any }
/** A walk: scores (channels, cells) after every step, the channels' labels; of the shown channel its maps, label and name. */
interface Walk { steps: Float32Array[]; labels: number[]; channel: number; label: number; name: string; maps: Float32Array[] }
/** Quantiles of the scores inside a region and outside, and their AUC. */
interface RegionQuantiles { inside: number[]; outside: number[]; order: number }

// --- compare -----------------------------------------------------------------------------------------------------------

/** What of a trace the comparison scores: both sides have it. */
type ScoredSide = Pick<Trace, "scores" | "shares" | "precision">;
/** The canvases of a stage: A, B and their difference. */
interface Column { a: HTMLCanvasElement; b: HTMLCanvasElement; difference: HTMLCanvasElement; [part: string]: any }
/** The same with the button above them and the scores below. */
interface BoardColumn extends Column { button: HTMLButtonElement; score: HTMLElement }
/** What B changes. */
interface SideChanges { model: string | null; switched: string[]; crf: boolean; setting: string | null; value: number | null }

// --- data set ------------------------------------------------------------------------------------------------------------

/** What of the data set is asked for: an order, two stages to compare, a class or "", a page; `ids`: these images alone. */
interface DataQuestion { order: string; stage: string; before: string; class_name: string; page: number; ids: string[] | null }
/** A score by stage, 0 to 1; null where it is not known. */
interface StageMeans { [stage: string]: number | null }
/** An image of a listing: its scores (`iou`: by class) where it has any, its labels where they are known already. */
interface DataCard {
  id: string; title: string; labels: string[] | null; broken: boolean;
  miou: StageMeans | null; iou: { [stage: string]: { [name: string]: number | null } } | null;
}
interface DataThumbnail { image: string; labels: string[] | null }
/** How far the scoring of the images is; `failure`: why it stopped. */
interface DataProgress { state: string; known: number; total: number; broken: number; seconds: number | null; failure?: string }
interface DataOverview { scored: number; means: StageMeans; better: number; worse: number; compared: number }
/** One page of images; see handlers/dataset/browse.py. */
interface DataListing {
  title: string; classes: string[]; matching: number; page: number; pages: number; first: number; cards: DataCard[];
  overview: DataOverview; progress: DataProgress;
}

// --- charts --------------------------------------------------------------------------------------------------------------

/** A figure of plotly, as Python makes it. */
interface Figure { data: { x: number[]; y: number[]; customdata: any[]; [field: string]: any }[]; layout: any }
type Chart = ReturnType<typeof import("./charts/plotly.js").createChart>;
/** A point of a chart that is pressed. */
interface ChartPoint { x: number; y: number; customdata: any }

// --- training ------------------------------------------------------------------------------------------------------------

/** What a training may be; lists of values by name, the first one preset. `off`: why nothing can be trained. */
interface TrainingOffers {
  off?: string; recipe: string[]; start: string[]; pooling: string[]; backbone: string[]; device: string[]; shortest: number; longest: number;
  bundled_backbone: string; iterations: { [preset: string]: number }; own_pooling: { [preset: string]: string };
  measured: { [preset: string]: { seconds: number; render_seconds: number; [score: string]: number } }; [name: string]: any;
}
/** A run of this machine: see handlers/train.py. */
interface TrainingState {
  name: string; request: { iterations: number; [choice: string]: any }; state: string; live: boolean; message: string;
  rendered: [number, number]; iteration: number; left: number | null; seconds: number; command: string;
}
/** A run in the list of runs. */
interface TrainingEntry { name: string; state: string; recipe: string; start: string; pooling: string }
/** A panel of images of one iteration. */
interface TrainingPanel { picture: string; stages: string[]; classes: string[]; refused?: string }

// --- snapshots -----------------------------------------------------------------------------------------------------------

/** The training run of the model that explained the image: its snapshots, scores by iteration, phases; all models. */
interface TrainingRun {
  model: string; models: string[]; offered?: { [model: string]: string }; series: string; snapshots: { model: string; iteration: number }[];
  phases: TrainingPhase[]; points: { iteration: number; [score: string]: number | null }[];
}
interface TrainingPhase { name: string; until: number }
/** The image by one snapshot, its maps unpacked; `walks`: scores after the walk, by its settings. */
interface SnapshotFrame {
  labels: number[]; cam: Unpacked; affinity: Unpacked | null; seg: Unpacked; scores: { [stage: string]: { iou: { [label: number]: number } } } | null;
  walks: Map<string, SnapshotWalk>; refused?: undefined;
}
interface SnapshotWalk { scores: Float32Array; iou: { [label: number]: number } | null }
/** Why the host did not explain with a snapshot. */
interface RefusedFrame { refused: string; cam?: undefined; seg?: undefined; affinity?: undefined; labels?: undefined; scores?: undefined }

// --- lab ---------------------------------------------------------------------------------------------------------------

/** A question: how it is answered, the reasons to choose from, what it hides until then, what it needs and is `missing`,
 * options and cells by class (where it can be asked), and where its example is. */
interface LabStep {
  name: string; kind: "choice" | "share" | "cell" | "pairs" | "order"; reasons: string[]; hides: string; missing: string; tab: string;
  of?: { [label: number]: { options: string[]; cells: Cell[] } }; place?: number; example?: string; title?: string; teacher?: string;
}
interface LabContents { steps: LabStep[]; failures: LabFailure[] }
/** What the host says to an answer: `truth`: the right option, `reasons`: the right ones, `facts`: numbers as text. */
interface LabVerdict {
  right: boolean; truth: string; reasons: string[]; facts: { [name: string]: string };
  failure?: { pathology: string; facts: { [name: string]: string } } | null;
}
/** An example of a pathology in the gallery of failures. */
interface LabFailure { example: string; place: number; pathology: string; title: string }

/** What gradio puts on its page. */
interface Window {
  gradio_config?: { root?: string };
  /** texts and style that come with later scripts */
  afaLaterTables?: { style: string; texts: { [key: string]: string }; languages: { [code: string]: { [key: string]: string } } }[];
}
interface Uint8ArrayConstructor { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }
