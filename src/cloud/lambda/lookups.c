#include "cloud/lambda/service.h"

#include <string.h>

/* What deployment tools ask for on their way and nobody has here: no code is signed, there are no
 * layers, the runtime is the machine's. AWS's answers for an account without them. */

static void reply_empty_list(struct exchange *x, const char *field)
{
    rest_reply(x, 200, json_pack("{s:[]}", field));
}

void lambda_list_layers(void *self, struct rest_call *call)
{
    (void)self;
    reply_empty_list(call->x, "Layers");
}

void lambda_list_layer_versions(void *self, struct rest_call *call)
{
    (void)self;
    reply_empty_list(call->x, "LayerVersions");
}

void lambda_get_layer_version(void *self, struct rest_call *call)
{
    (void)self;
    lambda_fail_resource(call->x, "The resource you requested does not exist.");
}

void lambda_list_code_signing(void *self, struct rest_call *call)
{
    (void)self;
    reply_empty_list(call->x, "CodeSigningConfigs");
}

void lambda_get_code_signing(void *self, struct rest_call *call)
{
    struct function *function = lambda_find(self, call);
    if (function)
        rest_reply(call->x, 200, json_pack("{s:s}", "FunctionName", function->name));
    function_release(function);
}

/* -- how a runtime is kept up to date: kept and shown; the interpreter is the machine's -- */

static json_t *show_runtime(const struct lambda *lambda, const char *name, const char *qualifier,
                            const json_t *config)
{
    char arn[FUNCTION_ARN_BYTES];
    const char *when = json_string_value(json_object_get(config, "UpdateRuntimeOn"));
    lambda_function_arn(lambda, name, qualifier, arn);
    return json_pack("{s:s, s:s}", "UpdateRuntimeOn", when ? when : "Auto", "FunctionArn", arn);
}

void lambda_get_runtime_management(void *self, struct rest_call *call)
{
    struct lambda_target target;
    if (lambda_open(self, call, &target) < 0)
        return;
    rest_reply(call->x, 200,
               show_runtime(self, target.latest->name, target.qualifier,
                            lambda_part(target.latest->record, "Runtimes", target.qualifier)));
    lambda_release(&target);
}

static int put_runtime(struct lambda_change *c)
{
    const char *when = json_string_value(json_object_get(c->request, "UpdateRuntimeOn"));
    if (lambda_check_qualifier(c) < 0)
        return -1;
    if (!when || (strcmp(when, "Auto") != 0 && strcmp(when, "FunctionUpdate") != 0)) {
        exchange_fail(c->x, "InvalidParameterValueException",
                      "UpdateRuntimeOn is Auto or FunctionUpdate: ken cloud has one version of a "
                      "runtime, the machine's");
        return -1;
    }
    json_t *config = json_pack("{s:s}", "UpdateRuntimeOn", when);
    lambda_set_part(c->record, "Runtimes", c->qualifier, config);
    c->reply = show_runtime(c->lambda, c->name, c->qualifier, config);
    return 0;
}

void lambda_put_runtime_management(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, put_runtime);
}

/* -- loops of functions are not looked for -- */

void lambda_get_recursion(void *self, struct rest_call *call)
{
    struct function *function = lambda_find(self, call);
    if (function)
        rest_reply(call->x, 200, json_pack("{s:s}", "RecursiveLoop", "Allow"));
    function_release(function);
}
