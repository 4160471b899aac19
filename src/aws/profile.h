#ifndef AWS_PROFILE_H
#define AWS_PROFILE_H

#include "base/err.h"

/* One profile of the two files that AWS's own tools keep. A file that is not there says nothing. */
struct aws_profile {
    const char *name; /* AWS_PROFILE, else "default" */
    int found;        /* in one of the files */
    char access_key_id[160], secret_access_key[192], session_token[4096];
    char region[64], endpoint_url[256];
};

/* AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials), then AWS_CONFIG_FILE (~/.aws/config): the first
 * word on a setting counts. */
int aws_profile_load(struct aws_profile *profile, struct err *err) MUST_USE;

#endif
