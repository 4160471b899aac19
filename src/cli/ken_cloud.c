#include "cli/start.h"
#include "cli/verbs.h"

/* The program `ken-cloud`: the embedded cloud alone. */
int main(int argc, char **argv)
{
    start_program();
    return finish_program("cloud", verb_cloud(argc, argv));
}
