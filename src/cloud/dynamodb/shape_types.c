#include "cloud/dynamodb/shape.h"
#include "cloud/dynamodb/value.h"

#include <string.h>

/* JSON types of a request, in the words of AWS's parser. */

static int wrong_type(struct err *err, const char *text)
{
    return err_set(err, ERR_CORRUPT, "%s", text);
}

static const char *java_type(enum shape_type type)
{
    return type == SHAPE_STRING    ? "String"
           : type == SHAPE_FLAG    ? "Boolean"
           : type == SHAPE_INTEGER ? "Integer"
                                   : "Long";
}

static const char *java_name(const struct shape *shape)
{
    return shape->type == SHAPE_STRING  ? "String"
           : shape->type == SHAPE_VALUE ? "AttributeValue"
           : shape->java                ? shape->java
                                        : shape->name;
}

static const char *scalar_token(const json_t *json)
{
    return json_is_true(json)      ? "TRUE_VALUE"
           : json_is_false(json)   ? "FALSE_VALUE"
           : json_is_string(json)  ? "STRING_VALUE"
           : json_is_integer(json) ? "NUMBER_VALUE"
                                   : "DECIMAL_VALUE";
}

static int check_scalar_type(const struct shape *shape, const json_t *json, struct err *err)
{
    int right = shape->type == SHAPE_STRING ? json_is_string(json)
                : shape->type == SHAPE_FLAG ? json_is_boolean(json)
                                            : json_is_number(json);
    if (right)
        return 0;
    if (json_is_array(json))
        return err_set(err, ERR_CORRUPT, "Unrecognized collection type class java.lang.%s",
                       java_type(shape->type));
    if (json_is_object(json))
        return wrong_type(err, "Start of structure or map found where not expected");
    if (shape->type == SHAPE_FLAG && json_is_string(json))
        return wrong_type(err, "Unexpected token received from parser");
    return err_set(err, ERR_CORRUPT, "%s cannot be converted to %s", scalar_token(json),
                   java_type(shape->type));
}

/* What AWS's parser says of something else in place of an element of a list or a map. */
static const char *wrong_element(const struct shape *shape)
{
    return shape->type == SHAPE_STRUCT
               ? "Unexpected value type in payload"
               : "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be "
                 "cast to class java.lang.Class "
                 "(sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and "
                 "java.lang.Class are in module java.base of loader 'bootstrap')";
}

static int check_types(const struct shape *shape, const json_t *json, struct err *err);

static int check_element_types(const struct shape *shape, const json_t *json, struct err *err)
{
    int is_scalar = !json_is_object(json) && !json_is_array(json);
    int holds =
        shape->type == SHAPE_STRUCT || shape->type == SHAPE_LIST || shape->type == SHAPE_MAP;
    if (!json || json_is_null(json))
        return 0;
    return is_scalar && holds ? wrong_type(err, wrong_element(shape))
                              : check_types(shape, json, err);
}

int shape_check_types(const struct shape *members, const json_t *json, struct err *err)
{
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        const struct shape *member = shape_member(members, json_object_iter_key(at));
        const json_t *value = json_object_iter_value(at);
        if (member && !member->refused && shape_is_present(value) &&
            check_types(member, value, err) < 0)
            return -1;
    }
    return 0;
}

static int check_list_types(const struct shape *shape, const json_t *json, struct err *err)
{
    size_t i;
    json_t *element;
    if (!json_is_array(json))
        return wrong_type(err, json_is_object(json)
                                   ? "Start of structure or map found where not expected"
                                   : "Unexpected field type");
    json_array_foreach(json, i, element)
    {
        if (check_element_types(shape->of, element, err) < 0)
            return -1;
    }
    return 0;
}

static int check_map_types(const struct shape *shape, const json_t *json, struct err *err)
{
    int of_lists = shape->of->type == SHAPE_LIST;
    const struct shape *of = of_lists ? shape->of->of : shape->of;
    if (json_is_array(json))
        return err_set(err, ERR_CORRUPT,
                       "Unrecognized collection type java.util.Map<java.lang.String, %s%s%s>%s",
                       of_lists ? "java.util.List<" : "",
                       of->type == SHAPE_STRING ? "java.lang."
                                                : "com.amazonaws.dynamodb.v20120810.",
                       java_name(of), of_lists ? ">" : "");
    if (!json_is_object(json))
        return wrong_type(err, "Unexpected field type");
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        if (check_element_types(shape->of, json_object_iter_value(at), err) < 0)
            return -1;
    }
    return 0;
}

static int check_types(const struct shape *shape, const json_t *json, struct err *err)
{
    switch (shape->type) {
    case SHAPE_VALUE:
    case SHAPE_ANY:
        return 0;
    case SHAPE_LIST:
        return check_list_types(shape, json, err);
    case SHAPE_MAP:
        return check_map_types(shape, json, err);
    case SHAPE_STRUCT:
        if (json_is_array(json))
            return err_set(err, ERR_CORRUPT,
                           "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.%s",
                           java_name(shape));
        if (!json_is_object(json))
            return wrong_type(err, "Unexpected field type");
        return shape_check_types(shape->of, json, err);
    default:
        return check_scalar_type(shape, json, err);
    }
}

static int check_values(const struct shape *shape, const json_t *json, int is_member,
                        struct err *err)
{
    size_t i;
    json_t *element;
    const char *name;
    if (!shape_is_present(json))
        return 0;
    switch (shape->type) {
    case SHAPE_VALUE:
        return value_check_types(json, is_member, err);
    case SHAPE_STRUCT:
        return shape_check_values(shape->of, json, err);
    case SHAPE_LIST:
        json_array_foreach(json, i, element)
        {
            if (check_values(shape->of, element, 0, err) < 0)
                return -1;
        }
        return 0;
    case SHAPE_MAP:
        json_object_foreach((json_t *)json, name, element)
        {
            if (check_values(shape->of, element, 0, err) < 0)
                return -1;
        }
        return 0;
    default:
        return 0;
    }
}

int shape_check_values(const struct shape *members, const json_t *body, struct err *err)
{
    for (; members->name; members++)
        if (check_values(members, json_object_get(body, members->name), 1, err) < 0)
            return -1;
    return 0;
}
