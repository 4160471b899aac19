#ifndef CLOUD_APIGATEWAY_METHODS_H
#define CLOUD_APIGATEWAY_METHODS_H

#include "cloud/apigateway/service.h"

/* What the operations on methods (methods.c) and on integrations and responses (integrations.c)
 * share with those that change a part of one (updates.c). */

/* What a call names. Parameters: API, resource, HTTP method, status. */
struct method_place {
    json_t *resource, *methods, *method, *integration;
};

/* Opens the API and finds the method; `needs_integration` too. -1: the error is answered. */
int methods_find(struct work *work, int needs_method, int needs_integration,
                 struct method_place *out) MUST_USE;
/* The response that the call's status names; NULL: the error is answered. */
json_t *methods_find_response(struct work *work, const json_t *holder, const char *field);
void methods_answer(struct work *work, int status, const json_t *value);
/* Is work->request an integration, or an integration's response, that there can be? -1: answered.
 */
int methods_check_integration(struct work *work) MUST_USE;
/* Are the models that a request or response names there? -1: answered. */
int methods_check_models(struct work *work, const json_t *models) MUST_USE;
int methods_check_mock_response(struct work *work) MUST_USE;

#define METHOD_RESPONSES "methodResponses"
#define INTEGRATION_RESPONSES "integrationResponses"

#endif
