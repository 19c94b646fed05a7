/* SPDX-License-Identifier: MIT */
/* Documents, as text, JSON or a page: what `profile` and `report` put out. A document is a JSON object; its member "cowshim" says
   what it is: "profile" (one run) or "stats" (summaries of one or more processes). */
#ifndef COWSHIM_COMMAND_DOCUMENT_H
#define COWSHIM_COMMAND_DOCUMENT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

/* Whether the name ends in .html, .json, .txt or .folded and the file can be written; else a message was written. Creates the file, so that
   it is known before a long run. option: how the user named it, for the message. */
bool document_check_output(const char *path, const char *option);
/* Writes one document, or two to compare (after may be NULL). path NULL: text on stderr. 0, or an exit code after a message. */
int document_write(const char *path, struct json_object *document, struct json_object *after);

/* Single forms. */
void document_print_text(FILE *out, struct json_object *document);
/* Stacks and the bytes copied by them, for flamegraph.pl and speedscope; nothing of summaries. */
void document_print_folded(FILE *out, struct json_object *document);
/* 0 or -1 (errno). */
int document_print_page(FILE *out, struct json_object *document, struct json_object *after);

#endif
