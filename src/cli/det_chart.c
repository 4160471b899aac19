#include "cli/det_chart.h"

#include <math.h>

/* Pixels. */
enum { WIDTH = 640, HEIGHT = 480, LEFT = 80, RIGHT = 24, TOP = 40, BOTTOM = 60 };
enum { INNER_WIDTH = WIDTH - LEFT - RIGHT, INNER_HEIGHT = HEIGHT - TOP - BOTTOM };

static const double decades = 4; /* 0.0001 to 1 */

/* 0 at the axis' start, 1 at the rate 1. Rates below the first decade lie on the axis. */
static double along(double rate)
{
    return fmax(1 + log10(fmax(rate, 1e-9)) / decades, 0);
}

static double x_of(double fpir)
{
    return LEFT + INNER_WIDTH * along(fpir);
}

static double y_of(double fnir)
{
    return TOP + INNER_HEIGHT * (1 - along(fnir));
}

static void draw_axes(struct buf *out)
{
    static const char *const labels[] = {"\u2264 0.01 %", "0.1 %", "1 %", "10 %", "100 %"};
    for (int i = 0; i <= 4; i++) {
        double rate = pow(10, i - 4), x = x_of(rate), y = y_of(rate);
        buf_printf(out, "<path d=\"M%.1f %d V%d M%d %.1f H%d\" stroke=\"#ddd\"/>\n", x, TOP,
                   HEIGHT - BOTTOM, LEFT, y, WIDTH - RIGHT);
        buf_printf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x,
                   HEIGHT - BOTTOM + 20, labels[i]);
        buf_printf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT - 8,
                   y + 4, labels[i]);
    }
    buf_printf(out,
               "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">FPIR: strangers taken for somebody"
               "</text>\n",
               LEFT + INNER_WIDTH / 2, HEIGHT - 16);
    buf_printf(out,
               "<text x=\"20\" y=\"%d\" text-anchor=\"middle\" transform=\"rotate(-90 20 %d)\">"
               "FNIR: enrolled people not found</text>\n",
               TOP + INNER_HEIGHT / 2, TOP + INNER_HEIGHT / 2);
}

static void draw_curve(const struct search_trials *trials, const struct search_curve *curve,
                       struct buf *out)
{
    buf_puts(out, "<path fill=\"none\" stroke=\"#06c\" stroke-width=\"2\" d=\"");
    for (size_t i = 0; i < curve->count; i++) {
        float threshold = curve->thresholds[i];
        buf_printf(out, "%c%.1f %.1f ", i ? 'L' : 'M', x_of(search_fpir(trials, threshold).value),
                   y_of(search_fnir(trials, threshold).value));
    }
    buf_puts(out, "\"/>\n");
}

/* Where nobody enrolled was searched for, only the strangers' rate is known: it goes all the way
 * up, between the ends of its interval. */
static void draw_fpir(const struct rate *fpir, struct buf *out)
{
    double x = x_of(fpir->value), low = x_of(fpir->low), high = x_of(fpir->high);
    buf_printf(out,
               "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"#c30\" "
               "fill-opacity=\"0.15\"/>\n",
               low, TOP, high - low, INNER_HEIGHT);
    buf_printf(out, "<path d=\"M%.1f %d V%d\" stroke=\"#c30\" stroke-width=\"2\"/>\n", x, TOP,
               HEIGHT - BOTTOM);
    buf_printf(out,
               "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">nobody enrolled was searched for: "
               "FNIR is not known</text>\n",
               LEFT + INNER_WIDTH / 2, TOP + INNER_HEIGHT / 2);
}

static void draw_point(const struct search_trials *trials, float threshold, struct buf *out)
{
    struct rate fpir = search_fpir(trials, threshold), fnir = search_fnir(trials, threshold);
    double x = x_of(fpir.value), y = y_of(fnir.value);
    buf_printf(out, "<path d=\"M%.1f %.1f H%.1f\" stroke=\"#c30\" stroke-width=\"2\"/>\n",
               x_of(fpir.low), y, x_of(fpir.high));
    buf_printf(out, "<path d=\"M%.1f %.1f V%.1f\" stroke=\"#c30\" stroke-width=\"2\"/>\n", x,
               y_of(fnir.low), y_of(fnir.high));
    buf_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" fill=\"#c30\"/>\n", x, y);
}

void det_chart_write(const struct search_trials *trials, const struct search_curve *curve,
                     float threshold, struct buf *out)
{
    struct rate fpir = search_fpir(trials, threshold), fnir = search_fnir(trials, threshold);
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
               "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n"
               "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
               WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
    buf_printf(out,
               "<text x=\"%d\" y=\"24\">threshold %.3f, %zu searches of strangers, %zu of enrolled "
               "people; bars: 95 %%</text>\n",
               LEFT, (double)threshold, fpir.trials, fnir.trials);
    draw_axes(out);
    if (fnir.trials) {
        draw_curve(trials, curve, out);
        draw_point(trials, threshold, out);
    } else {
        draw_fpir(&fpir, out);
    }
    buf_puts(out, "</svg>\n");
}
