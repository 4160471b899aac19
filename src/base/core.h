#ifndef BASE_CORE_H
#define BASE_CORE_H

/* From here on a crash leaves no core dump, which would hold keys and faces: neither a file nor one
 * that is piped to a program. Not where KEN_CORE is set, for whoever looks for a fault. Children
 * inherit it. */
void core_forbid(void);

#endif
