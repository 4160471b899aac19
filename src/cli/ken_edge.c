#include "cli/start.h"
#include "cli/verbs.h"

/* The program `ken-edge`: the device, and the verbs that read videos. Started by its own name it is
 * the camera. */

static const struct program_verb verbs[] = {
#define X(name, summary) {#name, verb_##name},
    KEN_EDGE_VERBS(X)
#undef X
};

int main(int argc, char **argv)
{
    const struct program_verb camera = {"edge", verb_edge};
    return run_program(verbs, sizeof verbs / sizeof *verbs, &camera, argc, argv);
}
