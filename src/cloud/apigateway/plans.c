#include "base/random.h"
#include "cloud/apigateway/patch.h"
#include "cloud/apigateway/service.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { KEY_VALUE_CHARACTERS = 40, KEY_MIN_CHARACTERS = 20, KEY_MAX_CHARACTERS = 128 };

static json_t *keys_of(struct work *work)
{
    return json_object_get(work->plans, "keys");
}

static json_t *plans_of(struct work *work)
{
    return json_object_get(work->plans, "plans");
}

/* API keys. Their value is told when they are made, and later only to those who ask for it. */

static const char *const without_value[] = {"value", NULL};

static int wants_value(struct work *work, const char *name)
{
    const char *text = exchange_query(work->x, name);
    return text && strcmp(text, "true") == 0;
}

static int value_is_used(struct work *work, const char *value)
{
    const char *id;
    json_t *key;
    json_object_foreach(keys_of(work), id, key)
    {
        if (strcmp(json_string_value(json_object_get(key, "value")), value) == 0)
            return 1;
    }
    return 0;
}

static int check_new_key(struct work *work, const char *value)
{
    size_t size = value ? strlen(value) : KEY_MIN_CHARACTERS;
    if (size < KEY_MIN_CHARACTERS)
        work_fail(work, "BadRequestException", "API Key value should be at least %d characters",
                  KEY_MIN_CHARACTERS);
    else if (size > KEY_MAX_CHARACTERS)
        work_fail(work, "BadRequestException",
                  "API Key value exceeds maximum size of %d characters", KEY_MAX_CHARACTERS);
    else if (value && value_is_used(work, value))
        work_fail(work, "ConflictException", "API Key already exists");
    else if (json_object_size(keys_of(work)) >= STORE_MAX_KEYS)
        work_fail(work, "LimitExceededException", "Maximum number of API keys is %d",
                  STORE_MAX_KEYS);
    return work->has_failed ? -1 : 0;
}

void apigateway_create_key(void *self, struct rest_call *call)
{
    struct work *work = self;
    char id[WORK_ID_BYTES], fresh[KEY_VALUE_CHARACTERS + 1];
    const char *value = work_text(work, "value");
    (void)call;
    if (work_open_plans(work) < 0 || check_new_key(work, value) < 0)
        return;
    random_text(fresh, KEY_VALUE_CHARACTERS,
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    work_make_id(id);
    json_t *enabled = json_object_get(work->request, "enabled");
    json_t *key = json_pack("{s:s, s:s, s:O*, s:O*, s:b, s:o, s:o, s:[]}", "id", id, "value",
                            value ? value : fresh, "name", json_object_get(work->request, "name"),
                            "description", json_object_get(work->request, "description"), "enabled",
                            !json_is_false(enabled), "createdDate", work_now(), "lastUpdatedDate",
                            work_now(), "stageKeys");
    json_object_set_new(keys_of(work), id, key);
    if (work_take_tags(work, key) < 0)
        return;
    work->changes_plans = 1;
    work->status = 201;
    work->reply = json_incref(key);
}

static int name_begins(const json_t *key, const char *prefix)
{
    const char *name = json_string_value(json_object_get(key, "name"));
    return !prefix || strncmp(name ? name : "", prefix, strlen(prefix)) == 0;
}

void apigateway_list_keys(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *id, *name = exchange_query(work->x, "name");
    json_t *key, *found = json_object();
    (void)call;
    if (work_open_plans(work) == 0) {
        json_object_foreach(keys_of(work), id, key)
        {
            if (name_begins(key, name))
                json_object_set(found, id, key);
        }
        work->reply =
            work_list(work, found, wants_value(work, "includeValues") ? NULL : without_value);
    }
    json_decref(found);
}

static json_t *find_key(struct work *work, const char *id)
{
    if (!work->plans && work_open_plans(work) < 0)
        return NULL;
    json_t *key = json_object_get(keys_of(work), id);
    if (!key)
        work_fail(work, "NotFoundException", "Invalid API Key identifier specified");
    return key;
}

void apigateway_get_key(void *self, struct rest_call *call)
{
    struct work *work = self;
    const json_t *key = find_key(work, call->parameters[0]);
    if (key)
        work->reply = work_without(key, wants_value(work, "includeValue") ? NULL : without_value);
}

void apigateway_delete_key(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *id;
    json_t *plan;
    if (!find_key(work, call->parameters[0]))
        return;
    json_object_del(keys_of(work), call->parameters[0]);
    json_object_foreach(plans_of(work), id, plan)
    {
        json_object_del(json_object_get(plan, "keys"), call->parameters[0]);
    }
    work->changes_plans = 1;
    work->status = 202;
}

static void patch(struct work *work, json_t *object, const char *const *allowed,
                  const char *const *hidden)
{
    struct err err = {0};
    if (patch_apply(object, work->request, allowed, &err) < 0) {
        work_fail_err(work, &err);
        return;
    }
    work->changes_plans = 1;
    work->reply = work_without(object, hidden);
}

void apigateway_update_key(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"name", "description", "enabled", NULL};
    struct work *work = self;
    json_t *key = find_key(work, call->parameters[0]);
    if (!key)
        return;
    json_object_set_new(key, "lastUpdatedDate", work_now());
    patch(work, key, allowed, without_value);
}

/* Usage plans */

static const char *const without_keys[] = {"keys", NULL};

static int stage_exists(struct work *work, const char *api_id, const char *stage)
{
    const json_t *api = api_id ? store_api(work->gateway->store, api_id) : NULL;
    return stage && json_object_get(json_object_get(api, "stages"), stage);
}

static int check_plan(struct work *work, const json_t *plan)
{
    size_t i;
    json_t *stage;
    json_array_foreach(json_object_get(plan, "apiStages"), i, stage)
    {
        if (!stage_exists(work, json_string_value(json_object_get(stage, "apiId")),
                          json_string_value(json_object_get(stage, "stage")))) {
            work_fail(work, "NotFoundException", "Invalid API stage specified");
            return -1;
        }
    }
    const json_t *throttle = json_object_get(plan, "throttle");
    double rate = json_number_value(json_object_get(throttle, "rateLimit"));
    double burst = json_number_value(json_object_get(throttle, "burstLimit"));
    if (throttle && (rate < 0 || burst < 0 || (rate > 0 && burst < 1))) {
        work_fail(work, "BadRequestException",
                  "Usage plan throttle: rateLimit is a number above 0, burstLimit at least 1");
        return -1;
    }
    if (json_object_size(json_object_get(plan, "quota"))) {
        work_fail(work, "BadRequestException", "Usage plan quotas are not supported yet");
        return -1;
    }
    return 0;
}

void apigateway_create_plan(void *self, struct rest_call *call)
{
    struct work *work = self;
    char id[WORK_ID_BYTES];
    const char *name = work_text(work, "name");
    (void)call;
    if (work_open_plans(work) < 0 || check_plan(work, work->request) < 0)
        return;
    if (!name || !*name || json_object_size(plans_of(work)) >= STORE_MAX_PLANS) {
        work_fail(work, "BadRequestException",
                  "A usage plan needs a name, and there are at most %d", STORE_MAX_PLANS);
        return;
    }
    json_t *stages = json_object_get(work->request, "apiStages");
    work_make_id(id);
    json_t *plan = json_pack("{s:s, s:s, s:O*, s:o, s:O*, s:{}}", "id", id, "name", name,
                             "description", json_object_get(work->request, "description"),
                             "apiStages", stages ? json_incref(stages) : json_array(), "throttle",
                             json_object_get(work->request, "throttle"), "keys");
    json_object_set_new(plans_of(work), id, plan);
    if (work_take_tags(work, plan) < 0)
        return;
    work->changes_plans = 1;
    work->status = 201;
    work->reply = work_without(plan, without_keys);
}

void apigateway_list_plans(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *id, *key_id = exchange_query(work->x, "keyId");
    json_t *plan, *found = json_object();
    (void)call;
    if (work_open_plans(work) == 0) {
        json_object_foreach(plans_of(work), id, plan)
        {
            if (!key_id || json_object_get(json_object_get(plan, "keys"), key_id))
                json_object_set(found, id, plan);
        }
        work->reply = work_list(work, found, without_keys);
    }
    json_decref(found);
}

static json_t *find_plan(struct work *work)
{
    if (work_open_plans(work) < 0)
        return NULL;
    json_t *plan = json_object_get(plans_of(work), work->call->parameters[0]);
    if (!plan)
        work_fail(work, "NotFoundException", "Invalid Usage Plan ID specified");
    return plan;
}

void apigateway_get_plan(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    const json_t *plan = find_plan(work);
    if (plan)
        work->reply = work_without(plan, without_keys);
}

void apigateway_delete_plan(void *self, struct rest_call *call)
{
    struct work *work = self;
    const json_t *plan = find_plan(work);
    if (!plan)
        return;
    if (json_array_size(json_object_get(plan, "apiStages"))) {
        work_fail(work, "BadRequestException",
                  "Cannot delete Usage Plan %s because there are API Stages associated to it",
                  call->parameters[0]);
        return;
    }
    json_object_del(plans_of(work), call->parameters[0]);
    work->changes_plans = 1;
    work->status = 202;
}

/* {"op": "add", "path": "/apiStages", "value": "API:STAGE"} */
static int patch_stage(json_t *stages, const char *op, const char *value)
{
    char api[64];
    size_t i, size = strcspn(value, ":");
    json_t *stage;
    if (!value[size] || size >= sizeof api)
        return -1;
    snprintf(api, sizeof api, "%.*s", (int)size, value);
    json_t *wanted = json_pack("{s:s, s:s}", "apiId", api, "stage", value + size + 1);
    json_array_foreach(stages, i, stage)
    {
        if (json_equal(stage, wanted)) {
            json_decref(wanted);
            return strcmp(op, "remove") == 0 ? json_array_remove(stages, i) : 0;
        }
    }
    if (strcmp(op, "add") == 0)
        return json_array_append_new(stages, wanted);
    json_decref(wanted);
    return -1;
}

/* Does the operations on /apiStages and takes them out of the request. */
static int patch_stages(struct work *work, json_t *plan)
{
    json_t *list = json_object_get(work->request, "patchOperations");
    for (size_t i = json_array_size(list); i-- > 0;) {
        json_t *operation = json_array_get(list, i);
        const char *path = json_string_value(json_object_get(operation, "path"));
        const char *op = json_string_value(json_object_get(operation, "op"));
        const char *value = json_string_value(json_object_get(operation, "value"));
        if (!path || strcmp(path, "/apiStages") != 0)
            continue;
        if (!op || !value || patch_stage(json_object_get(plan, "apiStages"), op, value) < 0) {
            work_fail(work, "BadRequestException", "Invalid patch operation on /apiStages");
            return -1;
        }
        json_array_remove(list, i);
    }
    return 0;
}

void apigateway_update_plan(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"name", "description", "throttle", NULL};
    struct work *work = self;
    (void)call;
    json_t *plan = find_plan(work);
    if (!plan || patch_stages(work, plan) < 0)
        return;
    patch(work, plan, allowed, without_keys);
    if (!work->has_failed)
        check_plan(work, plan);
}

/* Which keys a plan is for */

static json_t *show_plan_key(const json_t *key)
{
    return json_pack("{s:O, s:s, s:O*}", "id", json_object_get(key, "id"), "type", "API_KEY",
                     "name", json_object_get(key, "name"));
}

void apigateway_create_plan_key(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    json_t *plan = find_plan(work);
    const char *id = work_text(work, "keyId"), *type = work_text(work, "keyType");
    if (!plan)
        return;
    if (!id || !type || strcmp(type, "API_KEY") != 0) {
        work_fail(work, "BadRequestException", "keyId, and API_KEY as keyType, are needed");
        return;
    }
    const json_t *key = find_key(work, id);
    if (!key)
        return;
    json_t *keys = json_object_get(plan, "keys");
    if (json_object_get(keys, id)) {
        work_fail(work, "ConflictException", "Usage Plan %s already has the API Key",
                  work->call->parameters[0]);
        return;
    }
    json_object_set_new(keys, id, json_true());
    work->changes_plans = 1;
    work->status = 201;
    work->reply = show_plan_key(key);
}

void apigateway_list_plan_keys(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *id;
    json_t *yes, *shown = json_object();
    (void)call;
    const json_t *plan = find_plan(work);
    json_object_foreach(json_object_get(plan, "keys"), id, yes)
    {
        json_object_set_new(shown, id, show_plan_key(json_object_get(keys_of(work), id)));
    }
    if (plan)
        work->reply = work_list(work, shown, NULL);
    json_decref(shown);
}

static int has_key(struct work *work, const json_t *plan)
{
    if (plan && json_object_get(json_object_get(plan, "keys"), work->call->parameters[1]))
        return 1;
    if (plan)
        work_fail(work, "NotFoundException", "Invalid API Key identifier specified");
    return 0;
}

void apigateway_get_plan_key(void *self, struct rest_call *call)
{
    struct work *work = self;
    if (has_key(work, find_plan(work)))
        work->reply = show_plan_key(json_object_get(keys_of(work), call->parameters[1]));
}

void apigateway_delete_plan_key(void *self, struct rest_call *call)
{
    struct work *work = self;
    json_t *plan = find_plan(work);
    if (!has_key(work, plan))
        return;
    json_object_del(json_object_get(plan, "keys"), call->parameters[1]);
    work->changes_plans = 1;
    work->status = 202;
}
