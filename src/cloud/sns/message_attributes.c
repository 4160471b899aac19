#include "cloud/sns/sns.h"

#include <ctype.h>
#include <string.h>

/* The attributes of a message that is published, in the words that SNS has for them. */

#define INVALID_VALUE "ParameterValueInvalid"

static int check_name(struct sns_call *call, const char *name)
{
    size_t size = strlen(name);
    if (!size || size > 256)
        return sns_fail(call, INVALID_VALUE,
                        "Length of message attribute name must be less than 256 bytes.");
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
            return sns_fail(call, INVALID_VALUE,
                            "Invalid non-alphanumeric character '#x%X' was found in the message "
                            "attribute name. Can only include alphanumeric characters, hyphens, "
                            "underscores, or dots.",
                            (unsigned)(unsigned char)name[i]);
    if (*name == '.' || name[size - 1] == '.')
        return sns_fail(call, INVALID_VALUE,
                        "Invalid message attribute name %s with character '.' was found.",
                        *name == '.' ? "starting" : "ending");
    return strstr(name, "..")
               ? sns_fail(call, INVALID_VALUE,
                          "Message attribute name can not have successive '.' character.")
               : 0;
}

static int has_kind(const char *type, const char *kind)
{
    size_t size = strlen(kind);
    return !strncmp(type, kind, size) && (!type[size] || type[size] == '.');
}

static int check_value(struct sns_call *call, const char *name, const char *type,
                       const json_t *attribute)
{
    int is_binary = has_kind(type, "Binary");
    const char *text = sns_text(attribute, "StringValue"),
               *bytes = sns_text(attribute, "BinaryValue");
    if (!is_binary && !has_kind(type, "String") && !has_kind(type, "Number"))
        return sns_fail(call, INVALID_VALUE,
                        "The message attribute '%s' has an invalid message attribute type, the set "
                        "of supported type prefixes is Binary, Number, and String.",
                        name);
    const char *own = is_binary ? bytes : text, *other = is_binary ? text : bytes;
    if (!own && other)
        return sns_fail(call, INVALID_VALUE,
                        "The message attribute '%s' with type '%s' must use field '%s'.", name,
                        type, is_binary ? "Binary" : "String");
    return own && *own ? 0
                       : sns_fail(call, INVALID_VALUE,
                                  "The message attribute '%s' must contain non-empty message "
                                  "attribute value for message attribute type '%s'.",
                                  name, type);
}

int sns_check_attributes(struct sns_call *call, const json_t *attributes, size_t entry)
{
    const char *name;
    json_t *attribute;
    char where[64] = "";
    if (entry)
        snprintf(where, sizeof where, "publishBatchRequestEntries.%zu.member.", entry);
    json_object_foreach((json_t *)attributes, name, attribute)
    {
        const char *type = sns_text(attribute, "DataType");
        if (check_name(call, name) < 0)
            return -1;
        if (!type)
            return sns_fail(call, "ValidationError",
                            "1 validation error detected: Value null at "
                            "'%smessageAttributes.%s.member.dataType' failed to satisfy "
                            "constraint: Member must not be null",
                            where, name);
        if (check_value(call, name, type, attribute) < 0)
            return -1;
    }
    return 0;
}
