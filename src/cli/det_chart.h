#ifndef CLI_DET_CHART_H
#define CLI_DET_CHART_H

#include "base/buf.h"
#include "face/identification.h"

/* The detection error trade-off as an SVG picture: FNIR against FPIR, both axes logarithmic, with
 * the point at `threshold` marked. Without mated searches only the axes and the FPIR are drawn. */
void det_chart_write(const struct search_trials *trials, const struct search_curve *curve,
                     float threshold, struct buf *out);

#endif
