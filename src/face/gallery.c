#include "face/gallery_data.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "face/seal.h"
#include "simd/kernels.h"

struct gallery *gallery_create(struct err *err)
{
    struct gallery *gallery = calloc(1, sizeof *gallery);
    if (!gallery) {
        err_set(err, ERR_NO_MEMORY, "create gallery: no memory");
        return NULL;
    }
    gallery->threshold = GALLERY_DEFAULT_THRESHOLD;
    return gallery;
}

static void wipe(void *data, size_t bytes)
{
    if (data)
        seal_wipe(data, bytes);
    free(data);
}

void gallery_destroy(struct gallery *gallery)
{
    if (!gallery)
        return;
    for (size_t i = 0; i < gallery->people_count; i++)
        wipe(gallery->people[i].templates,
             gallery->people[i].capacity * FACE_EMBEDDING_FLOATS * sizeof(float));
    wipe(gallery->means, gallery->capacity * FACE_EMBEDDING_FLOATS * sizeof(float));
    wipe(gallery->people, gallery->capacity * sizeof *gallery->people);
    free(gallery);
}

size_t gallery_people(const struct gallery *gallery)
{
    return gallery->people_count;
}

size_t gallery_templates(const struct gallery *gallery)
{
    return gallery->template_count;
}

const char *gallery_name(const struct gallery *gallery, size_t person)
{
    return gallery->people[person].name;
}

float gallery_threshold(const struct gallery *gallery)
{
    return gallery->threshold;
}

void gallery_set_threshold(struct gallery *gallery, float threshold)
{
    gallery->threshold = threshold;
}

/* RFC 3629: no stray or missing continuation, no overlong form, no surrogate, at most U+10FFFF. */
static int is_utf8(const unsigned char *text)
{
    while (*text) {
        uint32_t code = *text++;
        int more = code < 0x80 ? 0 : code >= 0xf0 ? 3 : code >= 0xe0 ? 2 : 1;
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (more && (code < 0xc2 || code > 0xf4))
            return 0;
        code &= more ? 0x3fu >> more : 0x7fu;
        for (int i = 0; i < more; i++, text++) {
            if ((*text & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (*text & 0x3fu);
        }
        if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return 0;
    }
    return 1;
}

int gallery_check_name(const char *name, struct err *err)
{
    size_t length = strlen(name);
    if (length < 1 || length >= GALLERY_NAME_BYTES)
        return err_set(err, ERR_INVALID, "name of %zu bytes: not 1 to %d", length,
                       GALLERY_NAME_BYTES - 1);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < 32 || name[i] == 127)
            return err_set(err, ERR_INVALID, "name with a control character");
    if (!is_utf8((const unsigned char *)name))
        return err_set(err, ERR_INVALID, "name that is not UTF-8");
    if (strcmp(name, "unknown") == 0)
        return err_set(err, ERR_INVALID, "the name \"unknown\" is taken: it stands for strangers");
    return 0;
}

/* Move to a larger block and wipe the old one: realloc would leave templates behind. */
static void *grow(void *old, size_t old_bytes, size_t new_bytes)
{
    void *block = malloc(new_bytes);
    if (block && old_bytes)
        memcpy(block, old, old_bytes);
    if (block)
        wipe(old, old_bytes);
    return block;
}

static int reserve_person(struct gallery *gallery)
{
    if (gallery->people_count < gallery->capacity)
        return 0;
    size_t mean_bytes = FACE_EMBEDDING_FLOATS * sizeof(float), size = sizeof *gallery->people;
    size_t old = gallery->capacity, wanted = old ? 2 * old : 16;
    struct person *people = grow(gallery->people, old * size, wanted * size);
    if (!people)
        return -1;
    gallery->people = people;
    float *means = grow(gallery->means, old * mean_bytes, wanted * mean_bytes);
    if (!means)
        return -1;
    gallery->means = means;
    gallery->capacity = wanted;
    return 0;
}

struct person *gallery_add_person(struct gallery *gallery, const char *name, struct err *err)
{
    if (gallery_check_name(name, err) < 0)
        return NULL;
    if (gallery->people_count >= GALLERY_MAX_PEOPLE) {
        err_set(err, ERR_TOO_BIG, "add %s: %d people are enrolled, and no more fit", name,
                GALLERY_MAX_PEOPLE);
        return NULL;
    }
    if (reserve_person(gallery) < 0) {
        err_set(err, ERR_NO_MEMORY, "add %s: no memory", name);
        return NULL;
    }
    struct person *person = &gallery->people[gallery->people_count];
    *person = (struct person){0};
    memcpy(person->name, name, strlen(name) + 1);
    memset(gallery->means + gallery->people_count * FACE_EMBEDDING_FLOATS, 0,
           FACE_EMBEDDING_FLOATS * sizeof(float));
    gallery->people_count++;
    return person;
}

static struct person *find_person(const struct gallery *gallery, const char *name)
{
    for (size_t i = 0; i < gallery->people_count; i++)
        if (strcmp(gallery->people[i].name, name) == 0)
            return &gallery->people[i];
    return NULL;
}

static int has_unit_length(const float *embedding)
{
    float length = simd_kernels(SIMD_C)->dot_f32(embedding, embedding, FACE_EMBEDDING_FLOATS);
    return fabsf(length - 1) < 1e-3f; /* false for not-a-number */
}

/* The direction of the sum of a person's templates. */
static void update_mean(struct gallery *gallery, const struct person *person)
{
    double sum[FACE_EMBEDDING_FLOATS] = {0}, square = 0;
    for (size_t t = 0; t < person->count; t++)
        for (size_t i = 0; i < FACE_EMBEDDING_FLOATS; i++)
            sum[i] += person->templates[t * FACE_EMBEDDING_FLOATS + i];
    for (size_t i = 0; i < FACE_EMBEDDING_FLOATS; i++)
        square += sum[i] * sum[i];
    float *mean = gallery->means + (size_t)(person - gallery->people) * FACE_EMBEDDING_FLOATS;
    double factor = square > 0 ? 1 / sqrt(square) : 0;
    for (size_t i = 0; i < FACE_EMBEDDING_FLOATS; i++)
        mean[i] = (float)(sum[i] * factor);
    seal_wipe(sum, sizeof sum);
}

int gallery_add_templates(struct gallery *gallery, struct person *person, const float *templates,
                          size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (!has_unit_length(templates + i * FACE_EMBEDDING_FLOATS))
            return err_set(err, ERR_INVALID, "a template of %s is no unit vector", person->name);
    if (count > GALLERY_MAX_TEMPLATES - gallery->template_count)
        return err_set(err, ERR_TOO_BIG, "add a template of %s: more than %d in all", person->name,
                       GALLERY_MAX_TEMPLATES);
    size_t bytes = FACE_EMBEDDING_FLOATS * sizeof(float), wanted = person->count + count;
    if (wanted > person->capacity) {
        if (count == 1 && wanted < 2 * person->capacity)
            wanted = 2 * person->capacity;
        float *block = grow(person->templates, person->capacity * bytes, wanted * bytes);
        if (!block)
            return err_set(err, ERR_NO_MEMORY, "add a template of %s: no memory", person->name);
        person->templates = block;
        person->capacity = wanted;
    }
    memcpy(person->templates + person->count * FACE_EMBEDDING_FLOATS, templates, count * bytes);
    person->count += count;
    gallery->template_count += count;
    update_mean(gallery, person);
    return 0;
}

int gallery_add(struct gallery *gallery, const char *name, const float *embedding, struct err *err)
{
    struct person *person = find_person(gallery, name);
    if (!has_unit_length(embedding))
        return err_set(err, ERR_INVALID, "add %s: its template is no unit vector", name);
    if (person)
        return gallery_add_templates(gallery, person, embedding, 1, err);
    person = gallery_add_person(gallery, name, err);
    if (!person)
        return -1;
    if (gallery_add_templates(gallery, person, embedding, 1, err) < 0) {
        gallery->people_count--; /* nobody is enrolled without a template */
        return -1;
    }
    return 0;
}

int gallery_match(const struct gallery *gallery, const float *embedding, struct match *out)
{
    const struct kernels *kernels = simd_kernels(simd_best());
    *out = (struct match){NULL, -1};
    const struct person *best = NULL;
    for (size_t i = 0; i < gallery->people_count; i++) {
        const float *mean = gallery->means + i * FACE_EMBEDDING_FLOATS;
        float similarity = kernels->dot_f32(embedding, mean, FACE_EMBEDDING_FLOATS);
        if (similarity <= out->similarity)
            continue;
        out->similarity = similarity;
        best = &gallery->people[i];
    }
    if (!best || out->similarity < gallery->threshold)
        return 0;
    out->name = best->name;
    return 1;
}
