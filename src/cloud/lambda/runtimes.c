#include "cloud/lambda/runtimes.h"

#include "cloud/lambda/runtime_scripts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct family {
    const char *prefix, *program; /* "python3.12" begins with the first */
    const char *option[2];        /* what stands before the script; the last is its option */
    const char *script;
};

static const struct family families[] = {
    {"python3.", "python3", {"-u", "-c"}, runtime_python},
    {"nodejs", "node", {"--no-warnings", "-e"}, runtime_node},
};

/* Those that AWS has, and had a while ago. */
static const char *const known[] = {
    "provided",   "provided.al2", "provided.al2023", "python3.8",  "python3.9",
    "python3.10", "python3.11",   "python3.12",      "python3.13", "python3.14",
    "nodejs16.x", "nodejs18.x",   "nodejs20.x",      "nodejs22.x", "nodejs24.x",
};

static const struct family *find_family(const char *runtime)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strncmp(runtime, families[i].prefix, strlen(families[i].prefix)) == 0)
            return &families[i];
    return NULL;
}

/* In the folders that a jail shows. */
static int find_program(const char *name, char program[RUNTIMES_PROGRAM_BYTES])
{
    static const char *const folders[] = {"/usr/local/bin", "/usr/bin", "/bin"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(program, RUNTIMES_PROGRAM_BYTES, "%s/%.32s", folders[i], name);
        if (access(program, X_OK) == 0)
            return 0;
    }
    return -1;
}

/* The interpreter of that very version where there is one: python3.12, else python3. */
static int find_interpreter(const struct family *family, const char *runtime,
                            char program[RUNTIMES_PROGRAM_BYTES])
{
    return find_program(runtime, program) < 0 ? find_program(family->program, program) : 0;
}

static int is_known(const char *runtime)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(runtime, known[i]) == 0)
            return 1;
    return 0;
}

/* A language that AWS runs and this cloud does not. */
static int is_foreign(const char *runtime)
{
    static const char *const names[] = {"java", "dotnet", "ruby", "go1.x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(runtime, names[i], strlen(names[i])) == 0)
            return 1;
    return 0;
}

int runtimes_check(const char *runtime, struct err *err)
{
    char program[RUNTIMES_PROGRAM_BYTES];
    if (!is_known(runtime) && !is_foreign(runtime))
        return err_set(err, ERR_INVALID,
                       "Value %.64s at 'runtime' failed to satisfy constraint: Member must satisfy "
                       "enum value set: [nodejs20.x, python3.14, provided.al2023, python3.12, "
                       "python3.13, nodejs24.x, nodejs22.x, java17, nodejs16.x, java25, dotnet8, "
                       "python3.10, java11, python3.11, dotnet6, java21, nodejs18.x, provided.al2, "
                       "ruby3.3, ruby3.4, java8.al2, ruby3.2, python3.8, python3.9] or be a valid "
                       "ARN",
                       runtime);
    if (!is_known(runtime))
        return err_set(err, ERR_UNSUPPORTED,
                       "Runtime %.64s is not supported: ken cloud runs provided.al2023 with an "
                       "executable \"bootstrap\" in the zip, python3.x and nodejs",
                       runtime);
    const struct family *family = find_family(runtime);
    if (family && find_interpreter(family, runtime, program) < 0)
        return err_set(err, ERR_UNSUPPORTED,
                       "Runtime %.64s needs the program %s, which this machine does not have in "
                       "/usr/local/bin, /usr/bin or /bin",
                       runtime, family->program);
    return 0;
}

int runtimes_arguments(const char *runtime, char program[RUNTIMES_PROGRAM_BYTES],
                       const char *arguments[RUNTIMES_ARGUMENTS + 1], struct err *err)
{
    const struct family *family = find_family(runtime);
    arguments[0] = NULL;
    if (!family)
        return 0;
    if (find_interpreter(family, runtime, program) < 0)
        return err_set(err, ERR_UNAVAILABLE, "start function: no program %s", family->program);
    arguments[0] = program;
    arguments[1] = family->option[0];
    arguments[2] = family->option[1];
    arguments[3] = family->script;
    arguments[4] = NULL;
    return 0;
}
