/*
 * xml_check.h - is a text well-formed XML of the plain kind that malloc_info
 * writes: elements, quoted attributes and character data, no entities needed.
 */
#ifndef XML_CHECK_H
#define XML_CHECK_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { XML_DEPTH = 32, XML_NAME = 64 };

struct xml_reader {
    const char *at;
    int depth;
    int roots;
    char open[XML_DEPTH][XML_NAME];
};

static inline void xml_skip_space(struct xml_reader *xml)
{
    while (isspace((unsigned char)*xml->at))
        xml->at++;
}

static inline bool xml_name(struct xml_reader *xml, char name[XML_NAME])
{
    size_t length = 0;
    while (isalnum((unsigned char)*xml->at) || (*xml->at != '\0' && strchr("_:-.", *xml->at))) {
        if (length + 1 == XML_NAME)
            return false;
        name[length++] = *xml->at++;
    }
    name[length] = '\0';
    return length > 0 && !isdigit((unsigned char)name[0]);
}

/* ` name="value"`, any number of times. */
static inline bool xml_attributes(struct xml_reader *xml)
{
    char name[XML_NAME];
    for (;;) {
        const char *before = xml->at;
        xml_skip_space(xml);
        if (*xml->at == '>' || *xml->at == '/' || *xml->at == '?')
            return true;
        if (xml->at == before || !xml_name(xml, name) || *xml->at++ != '=')
            return false;
        char quote = *xml->at++;
        if (quote != '"' && quote != '\'')
            return false;
        while (*xml->at != quote) {
            if (*xml->at == '\0' || *xml->at == '<' || *xml->at == '&')
                return false;
            xml->at++;
        }
        xml->at++;
    }
}

/* What stands after a '<'. */
static inline bool xml_tag(struct xml_reader *xml)
{
    char name[XML_NAME];
    if (*xml->at == '?') {
        xml->at = strstr(xml->at, "?>");
        return xml->at != NULL && (xml->at += 2) != NULL;
    }
    if (*xml->at == '/') {
        xml->at++;
        if (!xml_name(xml, name) || xml->depth == 0)
            return false;
        xml->depth--;
        xml_skip_space(xml);
        return strcmp(name, xml->open[xml->depth]) == 0 && *xml->at++ == '>';
    }
    if (xml->depth == XML_DEPTH || !xml_name(xml, xml->open[xml->depth]) || !xml_attributes(xml))
        return false;
    if (xml->depth == 0 && xml->roots++ > 0)
        return false;
    if (*xml->at == '/') {
        xml->at++;
        return *xml->at++ == '>';
    }
    xml->depth++;
    return *xml->at++ == '>';
}

static inline bool xml_well_formed(const char *text)
{
    struct xml_reader xml = {.at = text};
    while (*xml.at != '\0') {
        char c = *xml.at++;
        if (c == '<' && !xml_tag(&xml))
            return false;
        if (c == '&' || c == '>' || (c != '<' && xml.depth == 0 && !isspace((unsigned char)c)))
            return false;
    }
    return xml.depth == 0 && xml.roots == 1;
}

#endif /* XML_CHECK_H */
