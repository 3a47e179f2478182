# As flask_app.py, for Ruby's Rack.
require "json"

SESSIONS = 400
REPORT_EACH = 40
REPORT_ROWS = 20000
$sessions = {}

def document(user, size)
  rows = Array.new(size) do |i|
    { id: i, name: "item #{user}-#{i}", kind: "k#{i % 7}", prices: [i * 1.5] * (i % 9) }
  end
  JSON.generate(user: user, rows: rows)
end

run lambda { |env|
  user = env["PATH_INFO"][1..].to_i
  rng = Random.new(user)
  size = user % REPORT_EACH == 0 ? REPORT_ROWS : 200 + rng.rand(1800)
  read = JSON.parse(document(user, size))
  read["rows"].each { |row| row["sum"] = row.delete("prices").sum }
  rows = read["rows"].sort_by { |row| [row["kind"], -row["sum"]] }
  $sessions[user % SESSIONS] = rows.first(20 + rng.rand(80))
  body = rows.first(300).map do |row|
    "<li class=\"#{row["kind"]}\">#{row["name"]}: #{row["sum"]}</li>"
  end
  [200, { "Content-Type" => "text/html" }, ["<ul>#{body.join}</ul>"]]
}
