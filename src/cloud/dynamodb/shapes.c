#include "cloud/dynamodb/shape.h"

#include <string.h>

/* The parameters of every operation served, in the order in which AWS reports broken ones.
 * Source: the service model that AWS's clients ship (dynamodb/2012-08-10). */

#define NAME_PATTERN "[a-zA-Z0-9_.-]+"
#define LENGTHS(from, to) .has_min = 1, .min = (from), .has_max = 1, .max = (to)
#define AT_LEAST(from) .has_min = 1, .min = (from)
#define END                                                                                        \
    {                                                                                              \
        0                                                                                          \
    }

static const char *const capacities[] = {"INDEXES", "TOTAL", "NONE", NULL};
static const char *const metrics[] = {"SIZE", "NONE", NULL};
static const char *const returns[] = {"ALL_NEW", "UPDATED_OLD", "ALL_OLD",
                                      "NONE",    "UPDATED_NEW", NULL};
static const char *const failures[] = {"ALL_OLD", "NONE", NULL};
static const char *const conditional[] = {"OR", "AND", NULL};
static const char *const comparisons[] = {"IN",          "NULL", "BETWEEN",  "LT", "NOT_CONTAINS",
                                          "EQ",          "GT",   "NOT_NULL", "NE", "LE",
                                          "BEGINS_WITH", "GE",   "CONTAINS", NULL};
static const char *const selects[] = {"SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES",
                                      "ALL_PROJECTED_ATTRIBUTES", NULL};
static const char *const attribute_types[] = {"B", "N", "S", NULL};
static const char *const key_types[] = {"HASH", "RANGE", NULL};
static const char *const projections[] = {"ALL", "INCLUDE", "KEYS_ONLY", NULL};
static const char *const billing_modes[] = {"PROVISIONED", "PAY_PER_REQUEST", NULL};
static const char *const table_classes[] = {"STANDARD", "STANDARD_INFREQUENT_ACCESS", NULL};

static const struct shape value[] = {{"AttributeValue", SHAPE_VALUE}};
static const struct shape string[] = {{"String", SHAPE_STRING}};
static const struct shape attribute_name[] = {{"String", SHAPE_STRING, LENGTHS(1, 255)}};
static const struct shape tag_key[] = {{"String", SHAPE_STRING, LENGTHS(1, 128)}};

#define TABLE                                                                                      \
    {                                                                                              \
        "TableName", SHAPE_STRING, .required = 1, .pattern = NAME_PATTERN, LENGTHS(3, 255)         \
    }
#define CAPACITY                                                                                   \
    {                                                                                              \
        "ReturnConsumedCapacity", SHAPE_STRING, .values = capacities                               \
    }
#define METRICS                                                                                    \
    {                                                                                              \
        "ReturnItemCollectionMetrics", SHAPE_STRING, .values = metrics                             \
    }
#define RETURNS                                                                                    \
    {                                                                                              \
        "ReturnValues", SHAPE_STRING, .values = returns                                            \
    }
#define FAILURE                                                                                    \
    {                                                                                              \
        "ReturnValuesOnConditionCheckFailure", SHAPE_STRING, .values = failures                    \
    }
#define ITEM(name_)                                                                                \
    {                                                                                              \
        name_, SHAPE_MAP, .required = 1, .of = value                                               \
    }
#define NAMES                                                                                      \
    {                                                                                              \
        "ExpressionAttributeNames", SHAPE_MAP, .of = string                                        \
    }
#define VALUES                                                                                     \
    {                                                                                              \
        "ExpressionAttributeValues", SHAPE_MAP, .of = value                                        \
    }
#define EXPRESSION(name_)                                                                          \
    {                                                                                              \
        name_, SHAPE_STRING                                                                        \
    }
#define LOGIC                                                                                      \
    {                                                                                              \
        "ConditionalOperator", SHAPE_STRING, .values = conditional                                 \
    }
#define ATTRIBUTES                                                                                 \
    {                                                                                              \
        "AttributesToGet", SHAPE_LIST, LENGTHS(1, 255), .of = string                               \
    }
#define FLAG(name_)                                                                                \
    {                                                                                              \
        name_, SHAPE_FLAG                                                                          \
    }
#define REFUSED(name_)                                                                             \
    {                                                                                              \
        name_, SHAPE_ANY, .refused = 1                                                             \
    }
#define INDEX_NAME(required_)                                                                      \
    {                                                                                              \
        "IndexName", SHAPE_STRING, .required = (required_), .pattern = NAME_PATTERN,               \
                                   LENGTHS(3, 255)                                                 \
    }

static const struct shape expected_members[] = {
    {"AttributeValueList", SHAPE_LIST, .of = value},
    {"ComparisonOperator", SHAPE_STRING, .values = comparisons},
    FLAG("Exists"),
    {"Value", SHAPE_VALUE},
    END,
};
static const struct shape expected[] = {
    {"ExpectedAttributeValue", SHAPE_STRUCT, .of = expected_members}};
#define EXPECTED                                                                                   \
    {                                                                                              \
        "Expected", SHAPE_MAP, .of = expected                                                      \
    }

static const struct shape condition_members[] = {
    {"AttributeValueList", SHAPE_LIST, .of = value},
    {"ComparisonOperator", SHAPE_STRING, .required = 1, .values = comparisons},
    END,
};
static const struct shape condition[] = {{"Condition", SHAPE_STRUCT, .of = condition_members}};

static const struct shape attribute_update_members[] = {
    {"Action", SHAPE_STRING}, {"Value", SHAPE_VALUE}, END};
static const struct shape attribute_update[] = {
    {"AttributeValueUpdate", SHAPE_STRUCT, .of = attribute_update_members}};

static const struct shape get_item[] = {
    CAPACITY,
    ATTRIBUTES,
    TABLE,
    ITEM("Key"),
    FLAG("ConsistentRead"),
    EXPRESSION("ProjectionExpression"),
    NAMES,
    END,
};
static const struct shape put_item[] = {
    CAPACITY, TABLE,    ITEM("Item"),
    LOGIC,    EXPECTED, RETURNS,
    METRICS,  FAILURE,  EXPRESSION("ConditionExpression"),
    VALUES,   NAMES,    END,
};
static const struct shape delete_item[] = {
    CAPACITY, TABLE,    ITEM("Key"),
    LOGIC,    EXPECTED, RETURNS,
    METRICS,  FAILURE,  EXPRESSION("ConditionExpression"),
    VALUES,   NAMES,    END,
};
static const struct shape update_item[] = {
    CAPACITY,
    TABLE,
    METRICS,
    RETURNS,
    FAILURE,
    LOGIC,
    ITEM("Key"),
    EXPECTED,
    {"AttributeUpdates", SHAPE_MAP, .of = attribute_update},
    EXPRESSION("ConditionExpression"),
    EXPRESSION("UpdateExpression"),
    VALUES,
    NAMES,
    END,
};
static const struct shape query[] = {
    CAPACITY,
    {"Select", SHAPE_STRING, .values = selects},
    INDEX_NAME(0),
    {"QueryFilter", SHAPE_MAP, .of = condition},
    TABLE,
    LOGIC,
    ATTRIBUTES,
    {"Limit", SHAPE_INTEGER}, /* its constraint has another text here: query.c */
    {"KeyConditions", SHAPE_MAP, .of = condition},
    {"ExclusiveStartKey", SHAPE_MAP, .of = value},
    FLAG("ConsistentRead"),
    FLAG("ScanIndexForward"),
    EXPRESSION("KeyConditionExpression"),
    EXPRESSION("FilterExpression"),
    EXPRESSION("ProjectionExpression"),
    VALUES,
    NAMES,
    END,
};
static const struct shape scan[] = {
    {"Select", SHAPE_STRING, .values = selects},
    INDEX_NAME(0),
    {"TotalSegments", SHAPE_INTEGER, LENGTHS(1, 1000000)},
    CAPACITY,
    TABLE,
    LOGIC,
    {"ScanFilter", SHAPE_MAP, .of = condition},
    {"Segment", SHAPE_INTEGER, LENGTHS(0, 999999)},
    {"Limit", SHAPE_INTEGER, AT_LEAST(1)},
    ATTRIBUTES,
    {"ExclusiveStartKey", SHAPE_MAP, .of = value},
    FLAG("ConsistentRead"),
    EXPRESSION("FilterExpression"),
    EXPRESSION("ProjectionExpression"),
    VALUES,
    NAMES,
    END,
};

static const struct shape item_key[] = {{"Map", SHAPE_MAP, .of = value}};
static const struct shape keys_members[] = {
    {"Keys", SHAPE_LIST, .required = 1, .of = item_key}, /* its length: batch.c */
    ATTRIBUTES,
    FLAG("ConsistentRead"),
    EXPRESSION("ProjectionExpression"),
    NAMES,
    END,
};
static const struct shape keys[] = {{"KeysAndAttributes", SHAPE_STRUCT, .of = keys_members}};
static const struct shape batch_get_item[] = {
    {"RequestItems", SHAPE_MAP, .required = 1, .of = keys, .keyed_by_table = 1, .shown_as_json = 1},
    CAPACITY,
    END,
};

static const struct shape put_request[] = {ITEM("Item"), END};
static const struct shape delete_request[] = {ITEM("Key"), END};
static const struct shape write_request_members[] = {
    {"PutRequest", SHAPE_STRUCT, .of = put_request},
    {"DeleteRequest", SHAPE_STRUCT, .of = delete_request},
    END,
};
static const struct shape write_request[] = {
    {"WriteRequest", SHAPE_STRUCT, .of = write_request_members}};
static const struct shape write_requests[] = {{"List", SHAPE_LIST, .of = write_request}};
static const struct shape batch_write_item[] = {
    {"RequestItems", SHAPE_MAP, .required = 1, .of = write_requests}, CAPACITY, METRICS, END};

static const struct shape transact_put[] = {
    ITEM("Item"), TABLE, FAILURE, EXPRESSION("ConditionExpression"), NAMES, VALUES, END};
static const struct shape transact_delete[] = {
    ITEM("Key"), TABLE, FAILURE, EXPRESSION("ConditionExpression"), NAMES, VALUES, END};
static const struct shape transact_check[] = {
    ITEM("Key"), TABLE,  FAILURE, {"ConditionExpression", SHAPE_STRING, .required = 1},
    NAMES,       VALUES, END};
static const struct shape transact_update[] = {ITEM("Key"),
                                               TABLE,
                                               FAILURE,
                                               {"UpdateExpression", SHAPE_STRING, .required = 1},
                                               EXPRESSION("ConditionExpression"),
                                               NAMES,
                                               VALUES,
                                               END};
static const struct shape transact_write_members[] = {
    {"ConditionCheck", SHAPE_STRUCT, .of = transact_check},
    {"Put", SHAPE_STRUCT, .of = transact_put},
    {"Delete", SHAPE_STRUCT, .of = transact_delete},
    {"Update", SHAPE_STRUCT, .of = transact_update},
    END,
};
static const struct shape transact_write[] = {
    {"TransactWriteItem", SHAPE_STRUCT, .of = transact_write_members}};
static const struct shape transact_write_items[] = {
    {"TransactItems", SHAPE_LIST, .required = 1, LENGTHS(1, 100), .of = transact_write},
    {"ClientRequestToken", SHAPE_STRING, LENGTHS(1, 36)},
    CAPACITY,
    METRICS,
    END,
};
static const struct shape transact_get_get[] = {ITEM("Key"), TABLE,
                                                EXPRESSION("ProjectionExpression"), NAMES, END};
static const struct shape transact_get_members[] = {
    {"Get", SHAPE_STRUCT, .required = 1, .of = transact_get_get}, END};
static const struct shape transact_get[] = {
    {"TransactGetItem", SHAPE_STRUCT, .of = transact_get_members}};
static const struct shape transact_get_items[] = {
    {"TransactItems", SHAPE_LIST, .required = 1, LENGTHS(1, 100), .of = transact_get},
    CAPACITY,
    END,
};

static const struct shape attribute_members[] = {
    {"AttributeName", SHAPE_STRING, .required = 1, LENGTHS(1, 255)},
    {"AttributeType", SHAPE_STRING, .required = 1, .values = attribute_types},
    END,
};
static const struct shape attribute[] = {
    {"AttributeDefinition", SHAPE_STRUCT, .of = attribute_members}};
static const struct shape key_members[] = {
    {"AttributeName", SHAPE_STRING, .required = 1, LENGTHS(1, 255)},
    {"KeyType", SHAPE_STRING, .required = 1, .values = key_types},
    END,
};
static const struct shape key[] = {{"KeySchemaElement", SHAPE_STRUCT, .of = key_members}};
#define KEYS                                                                                       \
    {                                                                                              \
        "KeySchema", SHAPE_LIST, .required = 1, LENGTHS(1, 2), .of = key                           \
    }
/* How many of each kind is checked with the index. */
#define GLOBAL_KEYS                                                                                \
    {                                                                                              \
        "KeySchema", SHAPE_LIST, .required = 1, AT_LEAST(1), .of = key                             \
    }
static const struct shape projection[] = {
    {"ProjectionType", SHAPE_STRING, .values = projections},
    {"NonKeyAttributes", SHAPE_LIST, LENGTHS(1, 20), .of = attribute_name},
    END,
};
#define PROJECTION                                                                                 \
    {                                                                                              \
        "Projection", SHAPE_STRUCT, .required = 1, .of = projection                                \
    }
static const struct shape throughput[] = {
    {"WriteCapacityUnits", SHAPE_LONG, .required = 1, AT_LEAST(1)},
    {"ReadCapacityUnits", SHAPE_LONG, .required = 1, AT_LEAST(1)},
    END,
};
#define THROUGHPUT                                                                                 \
    {                                                                                              \
        "ProvisionedThroughput", SHAPE_STRUCT, .of = throughput                                    \
    }
static const struct shape on_demand[] = {
    {"MaxReadRequestUnits", SHAPE_LONG}, {"MaxWriteRequestUnits", SHAPE_LONG}, END};
#define ON_DEMAND                                                                                  \
    {                                                                                              \
        "OnDemandThroughput", SHAPE_STRUCT, .of = on_demand                                        \
    }
static const struct shape local_index_members[] = {INDEX_NAME(1), KEYS, PROJECTION, END};
static const struct shape local_index[] = {
    {"LocalSecondaryIndex", SHAPE_STRUCT, .of = local_index_members}};
static const struct shape global_index_members[] = {
    INDEX_NAME(1), GLOBAL_KEYS, PROJECTION, THROUGHPUT, ON_DEMAND, REFUSED("WarmThroughput"), END};
static const struct shape global_index[] = {
    {"GlobalSecondaryIndex", SHAPE_STRUCT, .of = global_index_members}};
static const struct shape tag_members[] = {
    {"Key", SHAPE_STRING, .required = 1, LENGTHS(1, 128)},
    {"Value", SHAPE_STRING, .required = 1, .has_max = 1, .max = 256},
    END,
};
static const struct shape tag[] = {{"Tag", SHAPE_STRUCT, .of = tag_members}};
static const struct shape stream[] = {
    {"StreamEnabled", SHAPE_FLAG, .required = 1}, EXPRESSION("StreamViewType"), END};
static const struct shape encryption[] = {FLAG("Enabled"), EXPRESSION("SSEType"),
                                          EXPRESSION("KMSMasterKeyId"), END};
#define TABLE_SETTINGS                                                                             \
    {"BillingMode", SHAPE_STRING, .values = billing_modes},                                        \
        {"TableClass", SHAPE_STRING, .values = table_classes},                                     \
        {"StreamSpecification", SHAPE_STRUCT, .of = stream},                                       \
        {"SSESpecification", SHAPE_STRUCT, .of = encryption}, FLAG("DeletionProtectionEnabled"),   \
        ON_DEMAND, REFUSED("WarmThroughput"), REFUSED("GlobalTableSettingsReplicationMode")
static const struct shape create_table[] = {
    {"AttributeDefinitions", SHAPE_LIST, .required = 1, .of = attribute},
    TABLE,
    THROUGHPUT,
    KEYS,
    {"GlobalSecondaryIndexes", SHAPE_LIST, .of = global_index},
    {"LocalSecondaryIndexes", SHAPE_LIST, .of = local_index},
    {"Tags", SHAPE_LIST, .of = tag},
    TABLE_SETTINGS,
    REFUSED("ResourcePolicy"),
    REFUSED("GlobalTableSourceArn"),
    END,
};
static const struct shape index_update[] = {INDEX_NAME(1), THROUGHPUT, ON_DEMAND,
                                            REFUSED("WarmThroughput"), END};
static const struct shape index_delete[] = {INDEX_NAME(1), END};
static const struct shape index_change_members[] = {
    {"Update", SHAPE_STRUCT, .of = index_update, .java = "UpdateGlobalSecondaryIndexAction"},
    {"Create", SHAPE_STRUCT, .of = global_index_members,
     .java = "CreateGlobalSecondaryIndexAction"},
    {"Delete", SHAPE_STRUCT, .of = index_delete, .java = "DeleteGlobalSecondaryIndexAction"},
    END,
};
static const struct shape index_change[] = {
    {"GlobalSecondaryIndexUpdate", SHAPE_STRUCT, .of = index_change_members}};
static const struct shape update_table[] = {
    TABLE,
    THROUGHPUT,
    {"AttributeDefinitions", SHAPE_LIST, .of = attribute},
    {"GlobalSecondaryIndexUpdates", SHAPE_LIST, .of = index_change},
    TABLE_SETTINGS,
    REFUSED("ReplicaUpdates"),
    REFUSED("MultiRegionConsistency"),
    REFUSED("GlobalTableWitnessUpdates"),
    END,
};
static const struct shape table_only[] = {TABLE, END};
static const struct shape list_tables[] = {
    {"ExclusiveStartTableName", SHAPE_STRING, .pattern = NAME_PATTERN, LENGTHS(3, 255)},
    {"Limit", SHAPE_INTEGER, LENGTHS(1, 100)},
    END,
};
static const struct shape time_to_live[] = {
    {"Enabled", SHAPE_FLAG, .required = 1},
    {"AttributeName", SHAPE_STRING, .required = 1, LENGTHS(1, 255)},
    END,
};
static const struct shape update_time_to_live[] = {
    TABLE,
    {"TimeToLiveSpecification", SHAPE_STRUCT, .required = 1, .of = time_to_live},
    END,
};
/* Whether there is one is looked at by extras.c. */
#define RESOURCE                                                                                   \
    {                                                                                              \
        "ResourceArn", SHAPE_STRING, .has_max = 1, .max = 1283                                     \
    }
static const struct shape tag_resource[] = {RESOURCE, {"Tags", SHAPE_LIST, .of = tag}, END};
static const struct shape untag_resource[] = {
    RESOURCE, {"TagKeys", SHAPE_LIST, .of = tag_key}, END};
static const struct shape list_tags_of_resource[] = {RESOURCE, EXPRESSION("NextToken"), END};
static const struct shape nothing[] = {END};

static const struct operation_shape {
    const char *name;
    const struct shape *members;
    enum shape_style style;
} shapes[] = {
    {"BatchGetItem", batch_get_item, SHAPE_ALL},
    {"BatchWriteItem", batch_write_item, SHAPE_ALL},
    {"CreateTable", create_table, SHAPE_REQUIRED_TABLE},
    {"DeleteItem", delete_item, SHAPE_ALL},
    {"DeleteTable", table_only, SHAPE_REQUIRED_TABLE},
    {"DescribeContinuousBackups", table_only, SHAPE_REQUIRED_TABLE},
    {"DescribeEndpoints", nothing, SHAPE_ALL},
    {"DescribeLimits", nothing, SHAPE_ALL},
    {"DescribeTable", table_only, SHAPE_REQUIRED_TABLE},
    {"DescribeTimeToLive", table_only, SHAPE_REQUIRED_TABLE},
    {"GetItem", get_item, SHAPE_ALL},
    {"ListTables", list_tables, SHAPE_ALL},
    {"ListTagsOfResource", list_tags_of_resource, SHAPE_ALL},
    {"PutItem", put_item, SHAPE_ALL},
    {"Query", query, SHAPE_ALL},
    {"Scan", scan, SHAPE_ALL},
    {"TagResource", tag_resource, SHAPE_ALL},
    {"TransactGetItems", transact_get_items, SHAPE_ALL},
    {"TransactWriteItems", transact_write_items, SHAPE_ALL},
    {"UntagResource", untag_resource, SHAPE_ALL},
    {"UpdateItem", update_item, SHAPE_FIRST},
    {"UpdateTable", update_table, SHAPE_REQUIRED_TABLE},
    {"UpdateTimeToLive", update_time_to_live, SHAPE_REQUIRED_TABLE},
};

const struct shape *shape_of_operation(const char *operation, enum shape_style *style)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (strcmp(shapes[i].name, operation))
            continue;
        *style = shapes[i].style;
        return shapes[i].members;
    }
    return NULL;
}
