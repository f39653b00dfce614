// How high the cells inside a region score and how high those outside: median, spread and AUC.

import { pairwiseAuc, quantiles } from "./statistics.js";

const BAND = [0.1, 0.5, 0.9]; // a band holds the middle 80 % of the cells, a line goes through its median

/**
 * The scores of the cells of which most lies inside a region, and of the others.
 *
 * @param {Float32Array} map
 * @param {Float32Array} region
 */
function splitByRegion(map, region) {
  const inside = map.filter((_, i) => region[i] > 0.5);
  return { inside, outside: map.filter((_, i) => region[i] <= 0.5) };
}

/**
 * Of every map {inside, outside} as quantiles, and their order; null where one of them has no cell.
 *
 * @param {Float32Array[]} maps
 * @param {Float32Array} region
 */
export function regionQuantiles(maps, region) {
  const first = splitByRegion(maps[0], region);
  if (!first.inside.length || !first.outside.length) return null;
  return maps.map((map) => {
    const { inside, outside } = splitByRegion(map, region);
    return { inside: quantiles(inside, BAND), outside: quantiles(outside, BAND), order: pairwiseAuc(inside, outside) };
  });
}
