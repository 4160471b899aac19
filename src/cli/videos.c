#include "base/file.h"
#include "cli/options.h"
#include "cli/verbs.h"
#include "edge/archive.h"

#include <inttypes.h>
#include <stdio.h>

static int fetch_all(const char *deployment_path, const char *folder, char **names, struct err *err)
{
    struct deployment deployment;
    if (deployment_read(&deployment, deployment_path, err) < 0 ||
        file_make_folders(folder, 0700, err) < 0)
        return -1;
    for (; *names; names++) {
        int64_t frames = archive_fetch(&deployment, *names, folder, err);
        if (frames < 0)
            return -1;
        printf("%s/%s: %" PRId64 " frames, plays to its end\n", folder, *names, frames);
    }
    return 0;
}

int verb_videos(int argc, char **argv)
{
    const char *deployment = DEPLOYMENT_DEFAULT_PATH, *folder = ".";
    const struct option_spec specs[] = {
        {"deployment", 0, OPTION_TEXT, &deployment, "FILE",
         "what ken deploy wrote (" DEPLOYMENT_DEFAULT_PATH ")"},
        {"output", 'o', OPTION_TEXT, &folder, "FOLDER", "where the videos go (.)"},
        {0},
    };
    const struct command_line line = {
        .verb = "videos",
        .summary = "Fetch recordings from the video bucket, and play each through to check it.",
        .operands = "NAME...",
        .details = "\"aws s3 ls s3://ken-videos\" shows their names: day, month, year and time of "
                   "the beginning.\n"
                   "\n"
                   "example:\n  ken videos -o archive 23_11_2026_05_31_29.mp4",
        .options = specs,
    };
    struct err err = {0};
    int first, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    if (first == argc) {
        err_set(&err, ERR_INVALID, "give at least one NAME (see ken videos --help)");
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    return fetch_all(deployment, folder, argv + first, &err) < 0 ? options_fail(&line, &err)
                                                                 : EXIT_OK;
}
