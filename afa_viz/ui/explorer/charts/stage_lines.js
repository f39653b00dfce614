// How each stage is drawn in every chart over something, as in figures/charts.py: colour of the page, dashes.

/** @type {{[stage: string]: {colour: string, dash: number[]}}} */
export const STAGE_LINES = {
  miou_cam: { colour: "accent", dash: [] },
  miou_walk_start: { colour: "start", dash: [2, 4] },
  miou_cam_rw: { colour: "muted", dash: [7, 3] },
  miou_cam_par: { colour: "good", dash: [7, 3, 2, 3] },
  miou_pseudo_label: { colour: "pseudo", dash: [2, 3] },
  miou_seg: { colour: "warm", dash: [] },
  map: { colour: "ink", dash: [1, 5] },
};
