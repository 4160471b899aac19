#ifndef CLOUD_LAMBDA_RUNTIMES_H
#define CLOUD_LAMBDA_RUNTIMES_H

#include "base/err.h"

#include <stddef.h>

/* The runtimes that functions of a zip may name. A provided one runs the zip's own `bootstrap`;
 * Python and Node.js run a handler with this machine's interpreter, whatever its version, and a
 * small program of the cloud's (runtime_python.py, runtime_node.js). */

/* 0: functions of that runtime can run here. ERR_UNSUPPORTED: they cannot, and why. */
int runtimes_check(const char *runtime, struct err *err) MUST_USE;

/* How one with an interpreter is started: at most RUNTIMES_ARGUMENTS texts and NULL, of which the
 * first lies in `program`. 0: the runtime has none. ERR_UNAVAILABLE: the interpreter has gone. */
enum { RUNTIMES_ARGUMENTS = 4, RUNTIMES_PROGRAM_BYTES = 64 };
int runtimes_arguments(const char *runtime, char program[RUNTIMES_PROGRAM_BYTES],
                       const char *arguments[RUNTIMES_ARGUMENTS + 1], struct err *err) MUST_USE;

#endif
