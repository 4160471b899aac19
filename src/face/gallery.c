#include "base/utf8.h"
#include "face/gallery_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "face/seal.h"
#include "simd/kernels.h"

_Static_assert((int)ROW_VALUES == (int)FACE_EMBEDDING_FLOATS, "a row holds one template");
_Static_assert((int)ROWS_MAX_HITS == (int)GALLERY_MAX_CANDIDATES, "one limit");

struct gallery *gallery_create(struct err *err)
{
    struct gallery *gallery = calloc(1, sizeof *gallery);
    if (!gallery) {
        err_set(err, ERR_NO_MEMORY, "create gallery: no memory");
        return NULL;
    }
    gallery->threshold = GALLERY_DEFAULT_THRESHOLD;
    gallery->lock_folder = -1;
    return gallery;
}

static void wipe(void *data, size_t bytes)
{
    if (data)
        seal_wipe(data, bytes);
    free(data);
}

/* Templates that lie in the file are wiped there. */
static void drop_templates(struct person *person)
{
    if (person->allocated)
        wipe(person->templates, (size_t)person->allocated * ROW_VALUES);
    else if (person->templates)
        seal_wipe(person->templates, (size_t)person->count * ROW_VALUES);
    person->templates = NULL;
}

void gallery_destroy(struct gallery *gallery)
{
    if (!gallery)
        return;
    for (size_t i = 0; i < gallery->people_count; i++)
        if (gallery->people[i].allocated)
            drop_templates(&gallery->people[i]);
    rows_finish(&gallery->means);
    wipe(gallery->people, gallery->people_allocated * sizeof *gallery->people);
    wipe(gallery->file, gallery->file_bytes);
    free(gallery->slots);
    head_destroy(gallery->head);
    if (gallery->lock_folder >= 0)
        close(gallery->lock_folder);
    free(gallery);
}

size_t gallery_unfinished_bytes(const struct gallery *gallery)
{
    return gallery->unfinished_bytes;
}

int gallery_set_head(struct gallery *gallery, struct head *head, struct err *err)
{
    if (gallery->people_count > 0) {
        head_destroy(head);
        return err_set(err, ERR_INVALID, "a trained head comes before the first template");
    }
    head_destroy(gallery->head);
    gallery->head = head;
    gallery->changed = 1;
    return 0;
}

const struct head *gallery_head(const struct gallery *gallery)
{
    return gallery->head;
}

int gallery_is_plain(const struct gallery *gallery)
{
    return gallery->plain;
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

int gallery_find(const struct gallery *gallery, const char *name, size_t *person)
{
    *person = names_find(gallery, name);
    return *person != SIZE_MAX;
}

size_t gallery_person_templates(const struct gallery *gallery, size_t person)
{
    return gallery->people[person].count;
}

const int8_t *gallery_person_rows(const struct gallery *gallery, size_t person, size_t from)
{
    const int8_t *templates = gallery->people[person].templates;
    return templates ? templates + from * ROW_VALUES : rows_at(&gallery->means, person);
}

void gallery_template(const struct gallery *gallery, size_t person, size_t index, float *out)
{
    row_to_floats(out, gallery_person_rows(gallery, person, index));
}

float gallery_threshold(const struct gallery *gallery)
{
    return gallery->threshold;
}

void gallery_set_threshold(struct gallery *gallery, float threshold)
{
    gallery->changed |= gallery->threshold != threshold;
    gallery->threshold = threshold;
}

void gallery_set_network(struct gallery *gallery, const struct face_network *network)
{
    const struct face_network *own = &gallery->network;
    if (own->identity != network->identity || own->floats != network->floats)
        gallery->changed = 1; /* it stands in the header, which additions leave alone */
    gallery->network = *network;
}

int gallery_check_network(const struct gallery *gallery, const struct face_network *network,
                          struct err *err)
{
    const struct face_network *own = &gallery->network;
    if (gallery->people_count == 0 ||
        (own->identity == 0 && network->floats == FACE_EMBEDDING_FLOATS) ||
        (own->identity == network->identity && own->floats == network->floats))
        return 0;
    return err_set(err, ERR_INVALID,
                   "the gallery was made with another network (%016llx, %u numbers a face; the one "
                   "here is %016llx, %u): train it again, or name that network's folder with "
                   "--models",
                   (unsigned long long)own->identity, own->floats,
                   (unsigned long long)network->identity, network->floats);
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
    if (!utf8_is_valid(name))
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

int gallery_reserve(struct gallery *gallery, size_t count)
{
    size_t size = sizeof *gallery->people, old = gallery->people_allocated;
    if (count <= old)
        return 0;
    size_t wanted = count > 2 * old ? count : 2 * old;
    struct person *people = grow(gallery->people, old * size, wanted * size);
    if (!people)
        return -1;
    gallery->people = people;
    gallery->people_allocated = wanted;
    return 0;
}

/* `name` is checked and new. */
static int append_person(struct gallery *gallery, const char *name, const int8_t *mean,
                         struct err *err)
{
    if (gallery->people_count >= GALLERY_MAX_PEOPLE)
        return err_set(err, ERR_TOO_BIG, "add %s: %d people are enrolled, and no more fit", name,
                       GALLERY_MAX_PEOPLE);
    if (gallery_reserve(gallery, gallery->people_count + 1) < 0)
        return err_set(err, ERR_NO_MEMORY, "add %s: no memory", name);
    struct person *person = &gallery->people[gallery->people_count];
    *person = (struct person){.count = 1};
    memcpy(person->name, name, strlen(name) + 1);
    if (names_add(gallery, gallery->people_count) < 0)
        return err_set(err, ERR_NO_MEMORY, "add %s: no memory", name);
    if (rows_add(&gallery->means, mean) < 0) {
        names_remake(gallery); /* without the one who is not counted yet */
        return err_set(err, ERR_NO_MEMORY, "add %s: no memory", name);
    }
    gallery->people_count++;
    gallery->template_count++;
    return 0;
}

/* Room for `count` more templates than there are, all in a block of the person's own. */
static int reserve_templates(struct gallery *gallery, size_t index, uint32_t count)
{
    struct person *person = &gallery->people[index];
    uint32_t needed = person->count + count, wanted = 2 * person->count;
    if (needed <= person->allocated)
        return 0;
    wanted = wanted > needed ? wanted : needed;
    int8_t *block = malloc((size_t)wanted * ROW_VALUES);
    if (!block)
        return -1;
    memcpy(block, gallery_person_rows(gallery, index, 0), (size_t)person->count * ROW_VALUES);
    drop_templates(person);
    person->templates = block;
    person->allocated = wanted;
    return 0;
}

static int append_templates(struct gallery *gallery, size_t index, const int8_t *rows,
                            uint32_t count, struct err *err)
{
    struct person *person = &gallery->people[index];
    if (reserve_templates(gallery, index, count) < 0)
        return err_set(err, ERR_NO_MEMORY, "add a template of %s: no memory", person->name);
    memcpy(person->templates + (size_t)person->count * ROW_VALUES, rows,
           (size_t)count * ROW_VALUES);
    person->count += count;
    gallery->template_count += count;
    rows_set_mean(&gallery->means, index, person->templates, person->count);
    return 0;
}

/* Templates that stay where they lie. */
static int take_new_person(struct gallery *gallery, const struct gallery_entry *entry,
                           struct err *err)
{
    if (append_person(gallery, entry->name, entry->templates, err) < 0)
        return -1;
    if (entry->count == 1)
        return 0;
    struct person *person = &gallery->people[gallery->people_count - 1];
    person->templates = entry->templates;
    person->count = entry->count;
    gallery->template_count += entry->count - 1;
    rows_set_mean(&gallery->means, gallery->people_count - 1, entry->templates, entry->count);
    return 0;
}

int gallery_take_entry(struct gallery *gallery, const struct gallery_entry *entry, int known,
                       struct err *err)
{
    if (gallery_check_name(entry->name, err) < 0)
        return -1;
    size_t index = names_find(gallery, entry->name);
    if (index != SIZE_MAX && !known)
        return err_set(err, ERR_CORRUPT, "%s is there twice", entry->name);
    if (entry->count > GALLERY_MAX_TEMPLATES - gallery->template_count)
        return err_set(err, ERR_TOO_BIG, "more than %d templates", GALLERY_MAX_TEMPLATES);
    int result = index == SIZE_MAX
                     ? take_new_person(gallery, entry, err)
                     : append_templates(gallery, index, entry->templates, entry->count, err);
    if (result < 0)
        return -1;
    index = index == SIZE_MAX ? gallery->people_count - 1 : index;
    if (!(rows_factor(&gallery->means, index) > 0))
        return err_set(err, ERR_CORRUPT, "a person's template is all zeros");
    return 0;
}

int gallery_take_addition(struct gallery *gallery, const struct gallery_addition *addition,
                          struct err *err)
{
    size_t index = addition->person;
    struct person *person = &gallery->people[index];
    if (addition->count > GALLERY_MAX_TEMPLATES - gallery->template_count)
        return err_set(err, ERR_TOO_BIG, "more than %d templates", GALLERY_MAX_TEMPLATES);
    if (!addition->templates) {
        drop_templates(person); /* they are not all there any more */
        person->allocated = 0;
        person->count += addition->count;
        gallery->template_count += addition->count;
    } else if (append_templates(gallery, index, addition->templates, addition->count, err) < 0) {
        return -1;
    }
    rows_set(&gallery->means, index, addition->mean);
    if (!(rows_factor(&gallery->means, index) > 0))
        return err_set(err, ERR_CORRUPT, "a person's template is all zeros");
    return 0;
}

static int check_changeable(const struct gallery *gallery, struct err *err)
{
    if (gallery->only_means)
        return err_set(err, ERR_INVALID, "the gallery was opened to search only");
    return 0;
}

static int has_unit_length(const float *embedding)
{
    float length = simd_kernels(SIMD_C)->dot_f32(embedding, embedding, FACE_EMBEDDING_FLOATS);
    return fabsf(length - 1) < 1e-3f; /* false for not-a-number */
}

int gallery_add(struct gallery *gallery, const char *name, const float *embedding, struct err *err)
{
    if (check_changeable(gallery, err) < 0)
        return -1;
    int8_t row[ROW_VALUES];
    if (gallery_check_name(name, err) < 0)
        return -1;
    if (!has_unit_length(embedding))
        return err_set(err, ERR_INVALID, "add %s: its template is no unit vector", name);
    if (gallery->template_count >= GALLERY_MAX_TEMPLATES)
        return err_set(err, ERR_TOO_BIG, "add %s: %d templates are enrolled, and no more fit", name,
                       GALLERY_MAX_TEMPLATES);
    float kept[ROW_VALUES];
    head_apply(gallery->head, kept, embedding);
    row_from_floats(row, kept);
    size_t index = names_find(gallery, name);
    int result = index == SIZE_MAX ? append_person(gallery, name, row, err)
                                   : append_templates(gallery, index, row, 1, err);
    seal_wipe(kept, sizeof kept);
    seal_wipe(row, sizeof row);
    return result;
}

int gallery_forget(struct gallery *gallery, const char *name, struct err *err)
{
    if (check_changeable(gallery, err) < 0)
        return -1;
    size_t index = names_find(gallery, name);
    if (index == SIZE_MAX)
        return err_set(err, ERR_NOT_FOUND, "%s is not enrolled", name);
    struct person *person = &gallery->people[index];
    gallery->changed = 1;
    gallery->template_count -= person->count;
    drop_templates(person);
    rows_remove(&gallery->means, index);
    size_t behind = --gallery->people_count - index;
    memmove(person, person + 1, behind * sizeof *person);
    seal_wipe(person + behind, sizeof *person);
    names_remake(gallery);
    return 0;
}

int gallery_rename(struct gallery *gallery, const char *name, const char *new_name, struct err *err)
{
    size_t index = names_find(gallery, name), other = names_find(gallery, new_name);
    if (index == SIZE_MAX)
        return err_set(err, ERR_NOT_FOUND, "%s is not enrolled", name);
    if (other != SIZE_MAX && other != index)
        return err_set(err, ERR_EXISTS, "%s is enrolled already: two people are not merged",
                       new_name);
    if (gallery_check_name(new_name, err) < 0)
        return -1;
    char copy[GALLERY_NAME_BYTES] = {0}; /* `new_name` may be the person's own */
    memcpy(copy, new_name, strlen(new_name));
    memcpy(gallery->people[index].name, copy, sizeof copy);
    names_remake(gallery);
    gallery->changed = 1;
    return 0;
}

size_t gallery_search_kept(const struct gallery *gallery, const float *kept, struct candidate *out,
                           size_t limit)
{
    struct row_hit hits[ROWS_MAX_HITS];
    size_t count = rows_search(&gallery->means, kept, hits, limit);
    for (size_t i = 0; i < count; i++)
        out[i] = (struct candidate){hits[i].row, hits[i].similarity};
    return count;
}

size_t gallery_search(const struct gallery *gallery, const float *embedding, struct candidate *out,
                      size_t limit)
{
    float kept[ROW_VALUES];
    head_apply(gallery->head, kept, embedding);
    size_t count = gallery_search_kept(gallery, kept, out, limit);
    seal_wipe(kept, sizeof kept);
    return count;
}

int gallery_match(const struct gallery *gallery, const float *embedding, struct match *out)
{
    struct candidate best;
    *out = (struct match){NULL, -1};
    if (gallery_search(gallery, embedding, &best, 1) == 0)
        return 0;
    out->similarity = best.similarity;
    if (!(best.similarity >= gallery->threshold))
        return 0;
    out->name = gallery_name(gallery, best.person);
    return 1;
}
