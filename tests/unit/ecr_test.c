#include "cloud/ecr/ecr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DIGITS "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST "sha256:" DIGITS
#define IMAGE "application/vnd.oci.image.manifest.v1+json"
#define INDEX "application/vnd.oci.image.index.v1+json"
#define DESCRIPTOR "{\"digest\":\"" DIGEST "\",\"size\":7}"

static void names_tags_and_digests_have_their_form(void **state)
{
    static const char *const names[] = {"app", "team/app-1", "a.b/c_d", "a__b", "a--b", "0a"};
    static const char *const no_names[] = {"",   "a",    "App",  "/app", "app/",  "a//b",
                                           "a.", "a..b", "../a", "a_-b", "a/../b"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(ecr_is_name(names[i]));
    for (size_t i = 0; i < sizeof no_names / sizeof *no_names; i++)
        assert_false(ecr_is_name(no_names[i]));
    assert_true(ecr_is_tag("v1.0-rc_2"));
    assert_false(ecr_is_tag(""));
    assert_false(ecr_is_tag(".hidden"));
    assert_false(ecr_is_tag("a/b"));
    assert_true(ecr_is_digest(DIGEST));
    assert_true(ecr_is_digest("sha512:" DIGITS DIGITS));
    assert_false(ecr_is_digest("sha512:" DIGITS));
    assert_false(ecr_is_digest(DIGEST DIGITS));
    assert_false(ecr_is_digest("sha256:aaaa"));
    assert_false(
        ecr_is_digest("sha256:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static int reads(const char *media_type, const char *text, struct ecr_manifest *out,
                 struct arena *arena)
{
    struct err err = {0};
    const char *const *children;
    int result = ecr_read_manifest(media_type, text, strlen(text), arena, out, &children, &err);
    if (result < 0)
        assert_int_equal(err.code, ERR_INVALID);
    return result;
}

static void wrong_manifests_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"schemaVersion\":1}",
        "{\"schemaVersion\":2,\"mediaType\":\"text/plain\"}",
        "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE "\",\"layers\":[]}",
        "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE "\",\"config\":{},\"layers\":[]}",
        "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE "\",\"config\":" DESCRIPTOR
        ",\"layers\":[{\"digest\":\"../../etc\",\"size\":1}]}",
        "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE "\",\"config\":" DESCRIPTOR
        ",\"layers\":[{\"digest\":\"" DIGEST "\",\"size\":-1}]}",
        "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE "\",\"config\":" DESCRIPTOR
        ",\"layers\":[],\"manifests\":[]}",
        "{\"schemaVersion\":2,\"mediaType\":\"" INDEX "\",\"layers\":[]}",
        "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE "\",\"config\":" DESCRIPTOR
        ",\"layers\":[],\"subject\":5}",
    };
    struct arena arena;
    struct ecr_manifest manifest;
    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(reads(NULL, wrong[i], &manifest, &arena), -1);
    assert_int_equal(
        reads(INDEX, "{\"schemaVersion\":2,\"mediaType\":\"" IMAGE "\"}", &manifest, &arena), -1);
    arena_finish(&arena);
}

static void a_manifest_tells_its_blobs_and_their_size(void **state)
{
    struct arena arena;
    struct ecr_manifest manifest;
    (void)state;
    arena_init(&arena, 1 << 20);
    assert_int_equal(reads(IMAGE,
                           "{\"schemaVersion\":2,\"config\":" DESCRIPTOR ",\"layers\":[" DESCRIPTOR
                           "," DESCRIPTOR "],\"subject\":" DESCRIPTOR "}",
                           &manifest, &arena),
                     0);
    assert_int_equal(manifest.layers_bytes, 21);
    assert_string_equal(manifest.blobs[2], DIGEST);
    assert_null(manifest.blobs[3]);
    assert_string_equal(manifest.subject, DIGEST);
    arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_tags_and_digests_have_their_form),
        cmocka_unit_test(wrong_manifests_are_refused),
        cmocka_unit_test(a_manifest_tells_its_blobs_and_their_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
