#include "cli/start.h"
#include "cli/verbs.h"

#include <string.h>

/* The program `ken-edge`: the device, and the verbs that read videos. As "ken-edge" it is the
 * camera; `ken` starts it under the name of another verb. */

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
#define X(name, summary) {#name, verb_##name},
    KEN_EDGE_VERBS(X)
#undef X
};

int main(int argc, char **argv)
{
    start_program();
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (argc && strcmp(argv[0], verbs[i].name) == 0)
            return finish_program(verbs[i].name, verbs[i].run(argc, argv));
    return finish_program("edge", verb_edge(argc, argv));
}
