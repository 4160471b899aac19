#ifndef CLI_VERBS_H
#define CLI_VERBS_H

/* The verbs of `ken`, one file each (cli/NAME.c). Each gets argv with argv[0] == its name and
 * returns an exit code of cli/options.h. These lists are the only place where a verb is named, by
 * the program that it lives in, which `ken VERB` becomes: loading FFmpeg with its hundred libraries
 * takes 40 ms, and neither the cloud nor `ken identify` needs it. */
#define KEN_TOOL_VERBS(X)                                                                          \
    X(calibrate, "set when a face counts as unknown")                                              \
    X(deploy, "put the function, its data and its API on AWS or on ken cloud")                     \
    X(evaluate, "measure how well ken tells people apart")                                         \
    X(identify, "say who is in photos")                                                            \
    X(model, "import a network from ONNX, or show one")                                            \
    X(package, "make the function's container image")                                              \
    X(people, "keep the records of people, enrol and forget faces")                                \
    X(summary, "add up the reports of edge runs")                                                  \
    X(train, "enrol people from a folder of photos")

#define KEN_EDGE_VERBS(X)                                                                          \
    X(doctor, "check camera, clock, disk, network, keys, networks and gallery of a device")        \
    X(edge, "be the camera: send frames, print who is on them, keep the video")                    \
    X(frames, "take photos out of a video")                                                        \
    X(videos, "fetch recordings and check that they play")

#define KEN_CLOUD_VERBS(X) X(cloud, "run the embedded cloud: AWS's protocols on one port")

#define X(name, summary) int verb_##name(int argc, char **argv);
KEN_TOOL_VERBS(X)
KEN_EDGE_VERBS(X)
KEN_CLOUD_VERBS(X)
#undef X

#endif
