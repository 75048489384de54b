// What an answer says at a given threshold. `threshold` is a number, or null for each label's own.

/** Tell whether a prediction counts. */
export function counts(prediction, threshold) {
  return prediction.score > (threshold ?? prediction.threshold);
}

/** Return all predictions of an output, by decreasing score. */
export function allPredictions(output) {
  return [...output.labels.predicted, ...output.labels.discarded].sort((a, b) => b.score - a.score);
}

/** Return [{regionId, bbox, best}]: the regions of an output in which a prediction counts, with the best of them. */
export function regionsThatCount(output, threshold) {
  const regions = new Map();
  for (const prediction of allPredictions(output)) {
    if (!prediction.roi || !counts(prediction, threshold)) continue;
    const { region_id: regionId, bbox } = prediction.roi;
    if (!regions.has(regionId)) regions.set(regionId, { regionId, bbox, best: prediction });
  }
  return [...regions.values()];
}

/** Return how many predictions count in all `outputs`. */
export function countOf(outputs, threshold) {
  return outputs.reduce(
    (sum, output) => sum + allPredictions(output).filter((each) => counts(each, threshold)).length,
    0,
  );
}

/** Return a score as people read it. */
export function shownScore(score) {
  return score.toFixed(2);
}
