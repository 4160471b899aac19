#ifndef AWS_APIGATEWAY_H
#define AWS_APIGATEWAY_H

#include "aws/client.h"

#include <stddef.h>

/* REST APIs: enough to put a function behind one resource.
 * https://docs.aws.amazon.com/apigateway/latest/api/ */

enum { APIGATEWAY_ID_BYTES = 64, APIGATEWAY_URL_BYTES = 512, APIGATEWAY_KEY_BYTES = 160 };

enum apigateway_auth { APIGATEWAY_NONE, APIGATEWAY_IAM, APIGATEWAY_KEY };

/* Each finds or makes one thing, whose id it puts out. 1: made or changed, 0: it was so, -1. */
int aws_apigateway_put_api(struct aws_client *client, const char *name,
                           char id[APIGATEWAY_ID_BYTES], struct err *err) MUST_USE;
int aws_apigateway_put_resource(struct aws_client *client, const char *api, const char *path_part,
                                char id[APIGATEWAY_ID_BYTES], struct err *err) MUST_USE;

/* Bodies of these media types reach the function as base64 rather than as text; ends with NULL. */
int aws_apigateway_put_binary_types(struct aws_client *client, const char *api,
                                    const char *const *types, struct err *err) MUST_USE;

/* A method of a resource, answered by a function (proxy integration). */
struct apigateway_method {
    const char *api, *resource, *http_method, *function_arn;
    enum apigateway_auth auth;
    const char *const *query_parameters; /* required ones, ends with NULL */
};
int aws_apigateway_put_method(struct aws_client *client, const struct apigateway_method *method,
                              struct err *err) MUST_USE;
/* Who may call the method that is there now: 1, `method->auth` is set; 0: there is none; -1. */
int aws_apigateway_get_auth(struct aws_client *client, struct apigateway_method *method,
                            struct err *err) MUST_USE;

/* Make what the API is now live under the stage's name. */
int aws_apigateway_deploy(struct aws_client *client, const char *api, const char *stage,
                          struct err *err) MUST_USE;
int aws_apigateway_has_stage(struct aws_client *client, const char *api, const char *stage,
                             struct err *err) MUST_USE;

/* An API key for the stage, by way of a usage plan of the same name; its value goes to `key`. */
int aws_apigateway_put_key(struct aws_client *client, const char *name, const char *api,
                           const char *stage, char key[APIGATEWAY_KEY_BYTES],
                           struct err *err) MUST_USE;

/* Where a resource of a deployed API is called. */
int aws_apigateway_url(const struct aws_config *config, const char *api, const char *stage,
                       const char *path_part, char url[APIGATEWAY_URL_BYTES],
                       struct err *err) MUST_USE;

#endif
