#ifndef CLOUD_LAMBDA_URL_H
#define CLOUD_LAMBDA_URL_H

#include "cloud/lambda/function.h"

#include <jansson.h>

/* A function's URL, for whoever takes its requests. */
struct lambda;

struct lambda_url {
    struct function *function; /* held */
    const char *qualifier;     /* "$LATEST" or an alias; the function's, as what follows */
    const json_t *config;      /* {"AuthType", "Cors", ..} */
    const json_t *policy;      /* the resource's; NULL: none */
    char arn[FUNCTION_ARN_BYTES];
};

/* -1: there is no such URL. */
int lambda_url_find(struct lambda *lambda, const char *id, struct lambda_url *out);
void lambda_url_release(struct lambda_url *url);

#endif
