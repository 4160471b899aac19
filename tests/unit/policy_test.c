#include "cloud/iam/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

/* What the request says, for conditions and variables. */
static const char *value_of(void *context, const char *key, size_t index)
{
    static const char *const values[][4] = {
        {"aws:username", "ada"},
        {"aws:SourceIp", "10.1.2.3"},
        {"aws:CurrentTime", "2026-11-23T08:00:00Z"},
        {"s3:max-keys", "50"},
        {"s3:prefix", "home/ada/x"},
        {"aws:SecureTransport", "false"},
        {"star", "*"},
        {"nan", "nan"},
        {"many", "a", "b"},
        {"aws:PrincipalArn", "arn:aws:iam::000000000000:user/team/ada"},
    };
    (void)context;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (strcasecmp(values[i][0], key) == 0)
            return index < 3 ? values[i][index + 1] : NULL;
    return NULL;
}

static const struct policy_request request = {
    .action = "s3:GetObject",
    .resource = "arn:aws:s3:::bucket/home/ada/x.png",
    .principal_arn = "arn:aws:iam::000000000000:user/team/ada",
    .account_id = "000000000000",
    .value = value_of,
};

static void refused(const char *text, enum policy_kind kind, const char *message)
{
    struct err err = {0};
    json_t *document = policy_parse(text, kind, &err);
    if (document)
        fail_msg("taken: %s", text);
    assert_int_equal(err.code, ERR_INVALID);
    if (!strstr(err.message, message))
        fail_msg("%s: \"%s\" instead of \"%s\"", text, err.message, message);
}

/* The effect of a document of one statement with these members. */
static enum policy_effect effect(enum policy_kind kind, const char *members)
{
    struct err err = {0};
    char text[2048];
    snprintf(text, sizeof text, "{\"Version\":\"2012-10-17\",\"Statement\":[{%s}]}", members);
    json_t *document = policy_parse(text, kind, &err);
    if (!document)
        fail_msg("%s: %s", text, err.message);
    enum policy_effect result = policy_evaluate(document, kind, &request);
    json_decref(document);
    return result;
}

static int allows(const char *members)
{
    return effect(POLICY_OF_IDENTITY, members) == POLICY_ALLOWS;
}

/* Does the condition hold? */
static int holds(const char *condition)
{
    char members[1024];
    snprintf(members, sizeof members,
             "\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":%s",
             condition);
    return allows(members);
}

static void malformed_documents_are_refused(void **state)
{
    (void)state;
    refused("", POLICY_OF_IDENTITY, "invalid Json");
    refused("[]", POLICY_OF_IDENTITY, "Syntax errors");
    refused("{\"Statement\":[],\"Statements\":[]}", POLICY_OF_IDENTITY, "Syntax errors");
    refused("{\"Version\":\"2013-01-01\",\"Statement\":[]}", POLICY_OF_IDENTITY, "version string");
    refused("{\"Statement\":[{\"Effect\":\"Maybe\",\"Action\":\"*\",\"Resource\":\"*\"}]}",
            POLICY_OF_IDENTITY, "Invalid effect");
    refused("{\"Statement\":[{\"Effect\":\"Allow\",\"Resource\":\"*\"}]}", POLICY_OF_IDENTITY,
            "must contain actions");
    refused("{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"GetObject\",\"Resource\":\"*\"}]}",
            POLICY_OF_IDENTITY, "prefaced by a vendor");
    refused("{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\"}]}", POLICY_OF_IDENTITY,
            "must contain resources");
    refused("{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"bucket\"}]}",
            POLICY_OF_IDENTITY, "ARN format");
    refused("{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\","
            "\"Principal\":\"*\"}]}",
            POLICY_OF_IDENTITY, "should not specify a principal");
    refused("{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}",
            POLICY_OF_RESOURCE, "Principal");
    refused("{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\","
            "\"Condition\":{\"StringIs\":{\"a\":\"b\"}}}]}",
            POLICY_OF_IDENTITY, "Invalid Condition type");
    refused("{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},"
            "\"Action\":\"sts:AssumeRole\",\"Resource\":\"*\"}]}",
            POLICY_OF_TRUST, "prohibited field Resource");
}

static void too_deep_and_too_long_documents_are_refused(void **state)
{
    char deep[POLICY_MAX_DOCUMENT_BYTES + 10];
    (void)state;
    memset(deep, '[', sizeof deep - 1);
    deep[1000] = 0;
    refused(deep, POLICY_OF_IDENTITY, "invalid Json");
    memset(deep, ' ', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    refused(deep, POLICY_OF_IDENTITY, "invalid Json");
}

static void wildcards_match_as_a_shells(void **state)
{
    (void)state;
    assert_true(policy_matches("*", "", 0));
    assert_true(policy_matches("a*c*e", "abcde", 0));
    assert_true(policy_matches("a?c", "abc", 0));
    assert_false(policy_matches("a?c", "ac", 0));
    assert_false(policy_matches("a*c", "abd", 0));
    assert_false(policy_matches("abc", "ABC", 0));
    assert_true(policy_matches("s3:get*", "s3:GetObject", 1));
    assert_true(policy_matches("*", "control \x01 byte", 0));
    assert_true(policy_matches("a\x01?", "a\x01\x02", 0));
    assert_false(policy_matches("a\x01", "ab", 0));
    assert_true(policy_matches("*", "no UTF-8: \xff\xfe", 0));
    assert_false(policy_matches("a", "\xff", 0));
}

static void actions_and_resources_select(void **state)
{
    (void)state;
    assert_true(allows("\"Effect\":\"Allow\",\"Action\":\"S3:getobject\",\"Resource\":\"*\""));
    assert_true(allows("\"Effect\":\"Allow\",\"Action\":[\"sqs:*\",\"s3:Get*\"],"
                       "\"Resource\":\"arn:aws:s3:::bucket/*\""));
    assert_false(allows("\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\","
                        "\"Resource\":\"arn:aws:s3:::BUCKET/*\""));
    assert_false(allows("\"Effect\":\"Allow\",\"Action\":\"s3:PutObject\",\"Resource\":\"*\""));
    assert_false(allows("\"Effect\":\"Allow\",\"NotAction\":\"s3:*\",\"Resource\":\"*\""));
    assert_true(allows("\"Effect\":\"Allow\",\"NotAction\":\"iam:*\","
                       "\"NotResource\":\"arn:aws:s3:::other/*\""));
}

static void variables_are_filled_in(void **state)
{
    (void)state;
    assert_true(allows("\"Effect\":\"Allow\",\"Action\":\"*\","
                       "\"Resource\":\"arn:aws:s3:::bucket/home/${aws:username}/*\""));
    assert_false(allows("\"Effect\":\"Allow\",\"Action\":\"*\","
                        "\"Resource\":\"arn:aws:s3:::bucket/${absent}*\""));
    assert_true(allows("\"Effect\":\"Allow\",\"Action\":\"*\","
                       "\"Resource\":\"arn:aws:s3:::${absent, 'bucket'}/*\""));
    /* a wildcard in a value is a letter */
    assert_false(allows("\"Effect\":\"Allow\",\"Action\":\"*\","
                        "\"Resource\":\"arn:aws:s3:::bucket/${star}\""));
}

static void variables_are_text_before_2012(void **state)
{
    static const char *const versions[] = {"", "\"Version\":\"2008-10-17\",",
                                           "\"Version\":\"2012-10-17\","};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct err err = {0};
        char text[512];
        snprintf(text, sizeof text,
                 "{%s\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\","
                 "\"Condition\":{\"StringEquals\":{\"aws:username\":\"${aws:username}\"}}}}",
                 versions[i]);
        json_t *document = policy_parse(text, POLICY_OF_IDENTITY, &err);
        assert_non_null(document);
        assert_int_equal(policy_evaluate(document, POLICY_OF_IDENTITY, &request),
                         i == 2 ? POLICY_ALLOWS : POLICY_SILENT);
        json_decref(document);
    }
}

static void a_denial_wins(void **state)
{
    struct err err = {0};
    (void)state;
    json_t *document =
        policy_parse("{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"},"
                     "{\"Effect\":\"Deny\",\"Action\":\"s3:*\",\"Resource\":\"*\"},"
                     "{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}",
                     POLICY_OF_IDENTITY, &err);
    assert_non_null(document);
    assert_int_equal(policy_evaluate(document, POLICY_OF_IDENTITY, &request), POLICY_DENIES);
    json_decref(document);
}

static void conditions_compare_texts(void **state)
{
    (void)state;
    assert_true(holds("{\"StringEquals\":{\"aws:username\":[\"bob\",\"ada\"]}}"));
    assert_false(holds("{\"StringEquals\":{\"aws:username\":\"Ada\"}}"));
    assert_false(holds("{\"StringEquals\":{\"aws:username\":\"a*\"}}"));
    assert_true(holds("{\"StringEqualsIgnoreCase\":{\"aws:username\":\"Ada\"}}"));
    assert_true(holds("{\"StringLike\":{\"s3:prefix\":\"home/${aws:username}/*\"}}"));
    assert_false(holds("{\"StringNotLike\":{\"s3:prefix\":[\"x\",\"home/*\"]}}"));
    assert_true(holds("{\"StringNotEquals\":{\"aws:username\":\"bob\"}}"));
    assert_false(holds("{\"StringEquals\":{\"aws:username\":\"ada\",\"s3:prefix\":\"x\"}}"));
}

static void absent_keys_fail_all_but_negations(void **state)
{
    (void)state;
    assert_false(holds("{\"StringEquals\":{\"absent\":\"x\"}}"));
    assert_true(holds("{\"StringNotEquals\":{\"absent\":\"x\"}}"));
    assert_true(holds("{\"StringEqualsIfExists\":{\"absent\":\"x\"}}"));
    assert_true(holds("{\"Null\":{\"absent\":\"true\"}}"));
    assert_false(holds("{\"Null\":{\"aws:username\":true}}"));
    assert_true(holds("{\"ForAllValues:StringEquals\":{\"absent\":\"x\"}}"));
    assert_false(holds("{\"ForAnyValue:StringEquals\":{\"absent\":\"x\"}}"));
}

static void several_values_are_quantified(void **state)
{
    (void)state;
    assert_true(holds("{\"ForAllValues:StringEquals\":{\"many\":[\"a\",\"b\",\"c\"]}}"));
    assert_false(holds("{\"ForAllValues:StringEquals\":{\"many\":[\"a\"]}}"));
    assert_true(holds("{\"ForAnyValue:StringEquals\":{\"many\":[\"b\"]}}"));
    assert_false(holds("{\"ForAnyValue:StringEquals\":{\"many\":[\"c\"]}}"));
    assert_true(holds("{\"ForAnyValue:StringNotEquals\":{\"many\":[\"a\"]}}"));
    assert_false(holds("{\"ForAnyValue:StringNotEquals\":{\"many\":[\"a\",\"b\"]}}"));
    assert_false(holds("{\"ForAllValues:StringNotEquals\":{\"many\":[\"a\"]}}"));
    assert_true(holds("{\"ForAllValues:StringLike\":{\"many\":\"?\"}}"));
    assert_true(holds("{\"ForAnyValue:StringEqualsIfExists\":{\"absent\":\"x\"}}"));
}

static void conditions_compare_numbers_dates_and_addresses(void **state)
{
    (void)state;
    assert_true(holds("{\"NumericLessThanEquals\":{\"s3:max-keys\":50}}"));
    assert_false(holds("{\"NumericGreaterThan\":{\"s3:max-keys\":\"50\"}}"));
    assert_false(holds("{\"NumericEquals\":{\"aws:username\":\"1\"}}"));
    assert_true(holds("{\"DateLessThan\":{\"aws:CurrentTime\":\"2027-01-01T00:00:00Z\"}}"));
    assert_false(holds("{\"DateLessThan\":{\"aws:CurrentTime\":\"2026-11-23\"}}"));
    assert_true(holds("{\"DateEquals\":{\"aws:CurrentTime\":\"2026-11-23t08:00z\"}}"));
    assert_true(holds("{\"DateEquals\":{\"aws:CurrentTime\":\"2026-11-23T08:00:00.000Z\"}}"));
    assert_true(holds("{\"DateEquals\":{\"aws:CurrentTime\":\"2026-11-23T13:30:00+05:30\"}}"));
    assert_true(holds("{\"DateEquals\":{\"aws:CurrentTime\":\"2026-11-23T06-02\"}}"));
    assert_true(holds("{\"DateGreaterThan\":{\"aws:CurrentTime\":\"1\"}}"));
    assert_true(holds("{\"Bool\":{\"aws:SecureTransport\":false}}"));
    assert_true(holds("{\"IpAddress\":{\"aws:SourceIp\":[\"192.168.0.0/16\",\"10.0.0.0/8\"]}}"));
    assert_false(holds("{\"IpAddress\":{\"aws:SourceIp\":\"10.1.2.4/31\"}}"));
    assert_true(holds("{\"IpAddress\":{\"aws:SourceIp\":\"10.1.2.2/31\"}}"));
    assert_false(holds("{\"NotIpAddress\":{\"aws:SourceIp\":\"10.1.2.3\"}}"));
    assert_false(holds("{\"IpAddress\":{\"aws:SourceIp\":\"::/0\"}}"));
    assert_true(holds("{\"ArnLike\":{\"aws:PrincipalArn\":\"arn:aws:iam::*:user/team/*\"}}"));
    assert_false(holds("{\"ArnLike\":{\"aws:PrincipalArn\":\"arn:aws:*:user/team/ada\"}}"));
    assert_true(
        holds("{\"ArnLike\":{\"aws:PrincipalArn\":\"arn:aws:iam::*:user/*/${aws:username}\"}}"));
    assert_false(
        holds("{\"ArnLike\":{\"aws:PrincipalArn\":\"arn:aws:iam::*:user/${aws:username}\"}}"));
    assert_true(holds("{\"ArnEquals\":{\"aws:PrincipalArn\":"
                      "\"arn:aws:iam::${absent, '000000000000'}:user/team/ada\"}}"));
}

static void what_is_no_number_or_network_holds_nothing(void **state)
{
    (void)state;
    assert_false(holds("{\"IpAddress\":{\"aws:SourceIp\":\"192.0.2.0/\"}}"));
    assert_false(holds("{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/ 8\"}}"));
    assert_false(holds("{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/+8\"}}"));
    assert_false(holds("{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/33\"}}"));
    assert_false(holds("{\"NumericLessThanEquals\":{\"nan\":\"10\"}}"));
    assert_false(holds("{\"NumericLessThan\":{\"s3:max-keys\":\"inf\"}}"));
    assert_false(holds("{\"NumericEquals\":{\"s3:max-keys\":\"0x32\"}}"));
    assert_true(holds("{\"NumericEquals\":{\"s3:max-keys\":\"5e1\"}}"));
}

static void nothing_odd_in_a_name_gets_past_an_exception(void **state)
{
    struct err err;
    struct policy_request odd = request;
    json_t *document = policy_parse("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":"
                                    "\"Allow\",\"Action\":\"*\",\"NotResource\":"
                                    "\"arn:aws:s3:::bucket/secret/*\"}}",
                                    POLICY_OF_IDENTITY, &err);
    (void)state;
    odd.resource = "arn:aws:s3:::bucket/secret/\x01\x02\xff\xfe";
    assert_non_null(document);
    assert_int_equal(policy_evaluate(document, POLICY_OF_IDENTITY, &odd), POLICY_SILENT);
    json_decref(document);
}

static void principals_are_named_or_everyone(void **state)
{
    static const struct {
        const char *principal;
        int is_it;
    } cases[] = {
        {"\"*\"", 1},
        {"{\"AWS\":\"*\"}", 1},
        {"{\"AWS\":\"000000000000\"}", 1},
        {"{\"AWS\":\"arn:aws:iam::000000000000:root\"}", 1},
        {"{\"AWS\":[\"arn:aws:iam::000000000000:user/team/ada\"]}", 1},
        {"{\"AWS\":\"arn:aws:iam::000000000000:user/ada\"}", 0},
        {"{\"AWS\":\"111111111111\"}", 0},
        {"{\"Service\":\"lambda.amazonaws.com\"}", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char members[512];
        snprintf(members, sizeof members,
                 "\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\"Principal\":%s",
                 cases[i].principal);
        assert_int_equal(effect(POLICY_OF_RESOURCE, members) == POLICY_ALLOWS, cases[i].is_it);
        snprintf(members, sizeof members,
                 "\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"NotPrincipal\":%s",
                 cases[i].principal);
        assert_int_equal(effect(POLICY_OF_RESOURCE, members) == POLICY_DENIES, !cases[i].is_it);
    }
}

/* What IAM says of a statement with these members, or of a whole document; "" when it is good. */
static void check_says(const char *members, int is_managed, const char *message)
{
    struct err err = {0};
    char text[2048];
    int is_statement = *members == '"';
    snprintf(text, sizeof text,
             is_statement ? "{\"Version\":\"2012-10-17\",\"Statement\":{%s}}" : "%s", members);
    int result = policy_check_identity(text, is_managed, &err);
    if ((result == 0) != !*message || strcmp(result < 0 ? err.message : "", message) != 0)
        fail_msg("%s: \"%s\" instead of \"%s\"", text, err.message, message);
}

#define GOOD "\"Effect\":\"Allow\",\"Action\":\"s3:x\",\"Resource\":\"*\""

static void documents_of_identities_are_checked_in_order(void **state)
{
    static const char syntax[] = "Syntax errors in policy.",
                      legacy[] = "The policy failed legacy parsing";
    static const char unique[] = "Statement IDs (SID) in a single policy must be unique.";
    (void)state;
    check_says(GOOD, 1, "");
    check_says("nothing", 1, syntax);
    check_says("{\"Version\":\"2012-10-17\",\"Statement\":[]}", 1, syntax);
    check_says("{\"Version\":\"2013-10-17\",\"Statement\":{" GOOD "}}", 1, syntax);
    check_says("{\"Version\":\"2012-10-17\",\"Id\":1,\"Statement\":{" GOOD "}}", 1, syntax);
    check_says("{\"Statement\":{" GOOD "}}", 1,
               "Policy document must be version 2012-10-17 or greater.");
    check_says("{\"Statement\":{" GOOD "}}", 0, "");
    check_says(GOOD ",\"NotAction\":\"s3:y\"", 1, syntax);
    check_says(GOOD ",\"Condition\":{\"No\":{\"a\":\"b\"}}", 1, syntax);
    check_says(GOOD ",\"Condition\":{\"No\":{}}", 1, "");
    check_says(GOOD ",\"Condition\":{\"Bool\":{\"a\":true}}", 1, "");
    check_says("\"Effect\":\"allow\",\"Action\":\"x\",\"Resource\":\"y\"", 1, legacy);
    check_says("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"a\"," GOOD
               "},{\"Sid\":\"a\"," GOOD "}]}",
               1, unique);
    check_says(GOOD ",\"Principal\":\"*\"", 1, "Policy document should not specify a principal.");
    check_says("\"Effect\":\"Allow\",\"Resource\":\"x\"", 1,
               "Policy statement must contain actions.");
    check_says("\"Effect\":\"Allow\",\"Action\":\"s3:x\",\"Resource\":[]", 1,
               "Policy statement must contain resources.");
    check_says("\"Effect\":\"Allow\",\"Action\":\"invalid\"", 1,
               "Policy statement must contain resources.");
}

static void actions_and_resources_are_checked(void **state)
{
    static const struct {
        const char *action, *resource, *message;
    } cases[] = {
        {"*", "*", ""},
        {"s3:x", "arn:aws:s3:::b", ""},
        {"s3:x", "arn:aws:fdsasf", ""},
        {"x", "y", "Resource y must be in ARN format or \"*\"."},
        {"x", "*", "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
        {"a:b:c", "*", "Actions/Condition can contain only one colon."},
        {"a a:b", "*", "Vendor a a is not valid"},
        {"s3:x", "arn:no:s3:::b", "Partition \"no\" is not valid for resource \"arn:no:s3:::b\"."},
        {"s3:x", "arn:no:s3", "Partition \"no\" is not valid for resource \"arn:no:s3:*:*:*\"."},
        {"s3:x", "arn:no", "Partition \"no\" is not valid for resource \"arn:no:*:*:*:*\"."},
        {"s3:x", "arn:aws", "Resource vendor must be fully qualified and cannot contain regexes."},
        {"s3:x", "arn:aws:iam:x::user/a",
         "IAM resource arn:aws:iam:x::user/a cannot contain region information."},
        {"s3:x", "arn:aws:s3:x::b", "Resource arn:aws:s3:x::b can not contain region information."},
        {"s3:x", "arn:aws:iam::1:no",
         "IAM resource path must either be \"*\", root, or start with user/, federated-user/, "
         "role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, "
         "saml-provider/, oidc-provider/, report/, access-report/."},
        {"s3:x", "arn:aws:s3::b", "The policy failed legacy parsing"},
        {"s3:x", "arn:aws::::b", "The policy failed legacy parsing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char members[512];
        snprintf(members, sizeof members,
                 "\"Effect\":\"Deny\",\"NotAction\":[\"%s\"],\"NotResource\":\"%s\"",
                 cases[i].action, cases[i].resource);
        check_says(members, 1, cases[i].message);
    }
}

static void dates_of_conditions_are_checked(void **state)
{
    static const char *const good[] = {"2026-11-23",
                                       "2026-11-23T08:00:00Z",
                                       "2026-11-23t08:00:00.123456789z",
                                       "01T",
                                       "-292275054",
                                       "0",
                                       "9223372036854775807",
                                       "2026-1-2T08:00+23",
                                       "2026-11-23T08+05:30"};
    static const char *const wrong[] = {"x",
                                        "",
                                        "234-13",
                                        "2026-01-32",
                                        "2026-1-1-1",
                                        "2026-11-23T08:00:00+1",
                                        "-292275055",
                                        "2026-11-23T08:00:00.1234567890",
                                        "T",
                                        "2026-11-23T24:00",
                                        "9223372036854775808"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good + sizeof wrong / sizeof *wrong; i++) {
        size_t goods = sizeof good / sizeof *good;
        char members[512];
        snprintf(members, sizeof members,
                 GOOD ",\"Condition\":{\"ForAnyValue:DateLessThanIfExists\":{\"a:b\":[\"%s\"]}}",
                 i < goods ? good[i] : wrong[i - goods]);
        check_says(members, 0, i < goods ? "" : "The policy failed legacy parsing");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_documents_are_refused),
        cmocka_unit_test(too_deep_and_too_long_documents_are_refused),
        cmocka_unit_test(wildcards_match_as_a_shells),
        cmocka_unit_test(actions_and_resources_select),
        cmocka_unit_test(variables_are_filled_in),
        cmocka_unit_test(variables_are_text_before_2012),
        cmocka_unit_test(a_denial_wins),
        cmocka_unit_test(conditions_compare_texts),
        cmocka_unit_test(absent_keys_fail_all_but_negations),
        cmocka_unit_test(several_values_are_quantified),
        cmocka_unit_test(conditions_compare_numbers_dates_and_addresses),
        cmocka_unit_test(what_is_no_number_or_network_holds_nothing),
        cmocka_unit_test(nothing_odd_in_a_name_gets_past_an_exception),
        cmocka_unit_test(principals_are_named_or_everyone),
        cmocka_unit_test(documents_of_identities_are_checked_in_order),
        cmocka_unit_test(actions_and_resources_are_checked),
        cmocka_unit_test(dates_of_conditions_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
