#include "cli/start.h"
#include "cli/verbs.h"

/* The program `ken-cloud`: the embedded cloud alone. */
int main(int argc, char **argv)
{
    start_program();
    int skip = is_started_by_ken(argc, argv);
    return finish_program("cloud", verb_cloud(argc - skip, argv + skip));
}
