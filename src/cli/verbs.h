#ifndef CLI_VERBS_H
#define CLI_VERBS_H

/* The verbs of `ken`, one file each (cli/NAME.c). Each gets argv with argv[0] == its name and
 * returns an exit code of cli/options.h. This list is the only place where a verb is named. */
#define VERB_LIST(X)                                                                               \
    X(cloud, "run the embedded cloud: AWS's protocols on one port")                                \
    X(frames, "take photos out of a video")                                                        \
    X(model, "import a network from ONNX, or show one")                                            \
    X(train, "enrol people from a folder of photos")                                               \
    X(identify, "say who is in photos")                                                            \
    X(evaluate, "measure how well ken tells people apart")

#define X(name, summary) int verb_##name(int argc, char **argv);
VERB_LIST(X)
#undef X

#endif
