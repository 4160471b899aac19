#ifndef CLI_BESIDE_H
#define CLI_BESIDE_H

#include "base/err.h"

#include <stddef.h>

/* A file or folder told from where this program lies: "ken-function", "../models". */
int beside_program(const char *name, char *path, size_t path_bytes, struct err *err) MUST_USE;

#endif
