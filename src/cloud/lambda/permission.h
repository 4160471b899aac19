#ifndef CLOUD_LAMBDA_PERMISSION_H
#define CLOUD_LAMBDA_PERMISSION_H

/* May a service invoke a function? It says so itself, in the policy that AddPermission writes: of
 * the function, or of the version or alias that is named. */
struct lambda;

struct lambda_caller {
    const char *service;    /* "apigateway.amazonaws.com" */
    const char *source_arn; /* on whose behalf: "arn:aws:execute-api:.." */
};

/* `function` is a name or an ARN. 1: it may; 0: it may not, or there is no such function. */
int lambda_permits(struct lambda *lambda, const char *function, const struct lambda_caller *caller);

/* May anybody use the URL, whose AuthType is NONE? As on AWS the function must say so. */
struct lambda_url;
int lambda_permits_anybody(struct lambda *lambda, const struct lambda_url *url);

#endif
