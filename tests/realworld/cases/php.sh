# shellcheck shell=bash
# php, which loads its extensions with RTLD_DEEPBIND: they must have the same heap. Its own
# allocator is switched off, so that arrays and strings are malloc's.
needs=(php-cli=php php-xml=php)
probe=(php -m)

version() {
  php -v | sed -n '1s/^\(PHP [0-9.]*\).*/\1/p'
}

prepare() {
  cat >"$dir/script.php" <<'END'
<?php
$sum = 0;
for ($round = 0; $round < 4; $round++) {
    $rows = [];
    for ($i = 0; $i < 60000; $i++) {
        $rows["key$i"] = [$i, str_repeat('v', $i * 7 % 40), ['x' => $i % 17]];
    }
    ksort($rows);
    $text = json_encode($rows);
    $again = json_decode($text, true);
    $sum = ($sum * 31 + strlen($text) + count($again)) % 1000000007;
    $document = new DOMDocument();
    $root = $document->appendChild($document->createElement('root'));
    foreach (array_slice($again, 0, 20000) as $key => $row) {
        $root->appendChild($document->createElement('row', $row[1]))->setAttribute('key', $key);
    }
    $xml = $document->saveXML();
    $sum = ($sum * 31 + strlen($xml) + crc32($xml)) % 1000000007;
}
echo "$sum\n";
END
}

job() {
  USE_ZEND_ALLOC=0 under php "$dir/script.php"
}
