#ifndef CLI_VERBS_H
#define CLI_VERBS_H

/* The verbs of `ken`, one file each (cli/NAME.c). Each gets argv with argv[0] == its name and
 * returns an exit code of cli/options.h. This list is the only place where a verb is named. */
#define VERB_LIST(X)                                                                               \
    X(calibrate, "set when a face counts as unknown")                                              \
    X(cloud, "run the embedded cloud: AWS's protocols on one port")                                \
    X(deploy, "put the function, its data and its API on AWS or on ken cloud")                     \
    X(edge, "be the camera: send frames, print who is on them, keep the video")                    \
    X(evaluate, "measure how well ken tells people apart")                                         \
    X(frames, "take photos out of a video")                                                        \
    X(identify, "say who is in photos")                                                            \
    X(model, "import a network from ONNX, or show one")                                            \
    X(people, "keep the records of people, enrol and forget faces")                                \
    X(summary, "add up the reports of edge runs")                                                  \
    X(train, "enrol people from a folder of photos")                                               \
    X(videos, "fetch recordings and check that they play")

#define X(name, summary) int verb_##name(int argc, char **argv);
VERB_LIST(X)
#undef X

#endif
