#ifndef CLI_ENROL_H
#define CLI_ENROL_H

#include "base/err.h"

/* The actions of `ken people` on a gallery: enrol, forget, rename, enrolled. */
struct enrolment {
    const char *gallery, *models; /* as on the command line; NULL: the defaults of cli/paths.h */
    int json;
};

/* `operands` are those behind the action's name. */
int enrol_photos(const struct enrolment *enrolment, int count, char **operands,
                 struct err *err) MUST_USE;
int enrol_forget(const struct enrolment *enrolment, int count, char **operands,
                 struct err *err) MUST_USE;
int enrol_rename(const struct enrolment *enrolment, int count, char **operands,
                 struct err *err) MUST_USE;
int enrol_list(const struct enrolment *enrolment, int count, char **operands,
               struct err *err) MUST_USE;

#endif
