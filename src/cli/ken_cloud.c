#include "cli/start.h"
#include "cli/verbs.h"

/* The program `ken-cloud`: the embedded cloud alone. */
int main(int argc, char **argv)
{
    const struct program_verb cloud = {"cloud", verb_cloud};
    return run_program(&cloud, 1, &cloud, argc, argv);
}
