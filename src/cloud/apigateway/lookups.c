#include "cloud/apigateway/patch.h"
#include "cloud/apigateway/service.h"

#include <string.h>

/* The account, and what tools ask for that nobody has here: AWS's answers for an account without.
 */

static json_t *account_of(struct work *work)
{
    if (work_open_plans(work) < 0)
        return NULL;
    json_t *account = json_object_get(work->plans, "account");
    if (!account) {
        account = json_object();
        json_object_set_new(work->plans, "account", account);
    }
    return account;
}

static json_t *show_account(json_t *account)
{
    return json_pack("{s:O*, s:{s:i, s:f}, s:[s], s:s}", "cloudwatchRoleArn",
                     json_object_get(account, "cloudwatchRoleArn"), "throttleSettings",
                     "burstLimit", 5000, "rateLimit", 10000.0, "features", "UsagePlans",
                     "apiKeyVersion", "4");
}

void apigateway_get_account(void *self, struct rest_call *call)
{
    struct work *work = self;
    json_t *account = account_of(work);
    (void)call;
    if (account)
        work->reply = show_account(account);
}

void apigateway_update_account(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"cloudwatchRoleArn", NULL};
    struct work *work = self;
    struct err err = {0};
    json_t *account = account_of(work);
    (void)call;
    if (!account)
        return;
    if (patch_apply(account, work->request, allowed, &err) < 0) {
        work_fail_err(work, &err);
        return;
    }
    if (json_string_length(json_object_get(account, "cloudwatchRoleArn")) == 0)
        json_object_del(account, "cloudwatchRoleArn");
    work->changes_plans = 1;
    work->reply = show_account(account);
}

void apigateway_list_nothing(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    work->reply = json_pack("{s:[]}", "item");
}

void apigateway_list_nothing_of_api(void *self, struct rest_call *call)
{
    struct work *work = self;
    if (work_open_api(work) == 0)
        apigateway_list_nothing(self, call);
}

void apigateway_no_domain(void *self, struct rest_call *call)
{
    (void)call;
    work_fail(self, "NotFoundException", "Invalid domain name identifier specified");
}

void apigateway_no_authorizer(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (work_open_api(work) == 0)
        work_fail(work, "NotFoundException", "Invalid Authorizer identifier specified");
}

/* Every API begins with these two. */
static json_t *model(const char *name, const char *description, const char *schema)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", strcmp(name, "Empty") ? "error0" : "empty0",
                     "name", name, "description", description, "schema", schema, "contentType",
                     "application/json");
}

static json_t *make_models(void)
{
    return json_pack(
        "{s:o, s:o}", "Empty",
        model(
            "Empty", "This is a default empty schema model",
            "{\n  \"$schema\": \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Empty "
            "Schema\",\n  \"type\" : \"object\"\n}"),
        "Error",
        model("Error", "This is a default error schema model",
              "{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : "
              "\"Error Schema\",\n  \"type\" : \"object\",\n  \"properties\" : {\n    "
              "\"message\" : { \"type\" : \"string\" }\n  }\n}"));
}

void apigateway_list_models(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (work_open_api(work) < 0)
        return;
    json_t *models = make_models();
    work->reply = work_list(work, models, NULL);
    json_decref(models);
}

void apigateway_get_model(void *self, struct rest_call *call)
{
    struct work *work = self;
    if (work_open_api(work) < 0)
        return;
    json_t *models = make_models();
    work->reply = json_incref(json_object_get(models, call->parameters[1]));
    json_decref(models);
    if (!work->reply)
        work_fail(work, "NotFoundException", "Invalid Model Name specified: %.128s",
                  call->parameters[1]);
}
