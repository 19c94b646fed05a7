/* SPDX-License-Identifier: MIT */
#include "command/common/value.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of the character that starts here, 0 if it is none of UTF-8. */
static size_t character_length(const unsigned char *text)
{
    size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;

    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

struct json_object *value_new_text(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);
    struct json_object *value;

    if (copy == NULL)
        return NULL;
    for (char *at = copy; *at != '\0';) {
        size_t length = character_length((const unsigned char *)at);

        if (length == 0)
            *at = '?';
        at += length == 0 ? 1 : length;
    }
    value = json_object_new_string(copy);
    free(copy);
    return value;
}

void value_set(struct json_object *object, const char *name, struct json_object *value)
{
    json_object_object_add(object, name, value);
}

void value_set_integer(struct json_object *object, const char *name, uint64_t value)
{
    value_set(object, name, json_object_new_int64((int64_t)value));
}

void value_set_real(struct json_object *object, const char *name, double value)
{
    struct json_object *real = json_object_new_double(value);

    json_object_set_serializer(real, json_object_double_to_json_string, strdup("%.6f"), json_object_free_userdata);
    value_set(object, name, real);
}

void value_set_flag(struct json_object *object, const char *name, bool value)
{
    value_set(object, name, json_object_new_boolean(value));
}

void value_set_text(struct json_object *object, const char *name, const char *text)
{
    value_set(object, name, value_new_text(text));
}

void value_set_share(struct json_object *object, const char *name, uint64_t part, uint64_t whole)
{
    if (whole == 0)
        value_set(object, name, NULL);
    else
        value_set_real(object, name, (double)part / (double)whole);
}

struct json_object *value_of(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;

    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, name, &value);
    return value;
}

int64_t value_integer(struct json_object *object, const char *name)
{
    return json_object_get_int64(value_of(object, name));
}

bool value_flag(struct json_object *object, const char *name)
{
    return json_object_get_boolean(value_of(object, name));
}

const char *value_text(struct json_object *object, const char *name)
{
    struct json_object *value = value_of(object, name);

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

size_t value_length(struct json_object *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}
