#ifndef CLI_EVALUATE_H
#define CLI_EVALUATE_H

/* "ken evaluate WHAT": each gets argv with argv[0] == WHAT and returns an exit code. */
int evaluate_detection(int argc, char **argv);
int evaluate_identify(int argc, char **argv);

#endif
