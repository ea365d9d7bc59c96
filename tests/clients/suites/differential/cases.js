/**
 * Documents by hand: for each rule of validation and of coercion, what keeps it and what breaks it, once where it is
 * expected and once where it is easily overlooked. ROOM, USER and MESSAGE stand for ids. Which of them may run is not
 * written here: graphql-js says it.
 */

/** Documents without variables, by the rule that they are about. */
const DOCUMENTS = {
  syntax: [
    "", "{", "{}", "{me{}}", "{me{id}}}", "query", "query Q", "{me{id} ...}", "{me(){id}}", "query(){me{id}}", "{a:b:me{id}}", "fragment on on User{id} {me{id}}",
    "fragment F on User{id} {me{...F}}", "{me{id}} {me{id}}", "query Q{me{id}} query Q{me{id}}", "query Q{me{id}} {me{id}}", "type X{a:Int}", "{me{id}} type X{a:Int}", "extend type User{x:Int} {me{id}}",
    "{me{id,,,username}}", "\ufeff{me{id}}", "#c\n{me{id}}#", "{me{id}}\u0000", "{me{id}}\u000b", "{me{\u00a0id}}", "{mé{id}}", "{me{id @skip}}", "{me{id @skip()}}", "{rooms(first:01){nodes{id}}}",
    "{rooms(first:1.){nodes{id}}}", "{rooms(first:+1){nodes{id}}}", "{rooms(first:1x){nodes{id}}}", "{rooms(first:0x1){nodes{id}}}", "{rooms(first:-0){nodes{id}}}", "{rooms(first:1first:2){nodes{id}}}",
    "{users(search:\"\\q\"){nodes{id}}}", "{users(search:\"a\nb\"){nodes{id}}}", "{users(search:\"\\u12\"){nodes{id}}}", "{users(search:\"\\ud83d\"){nodes{id}}}", "{users(search:\"\\ud83d\\ude00\"){nodes{id}}}",
    "{users(search:\"\\u{1F600}\"){nodes{id}}}", "{users(search:\"\\u{110000}\"){nodes{id}}}", "{users(search:\"\\u{d83d}\"){nodes{id}}}", "{users(search:\"\\u{}\"){nodes{id}}}", "{users(search:\"\\u{00000041}\"){nodes{id}}}",
    "{users(search:\"\\ude00\\ud83d\"){nodes{id}}}", "{users(search:\"\"\"a\n  b\"\"\"){nodes{id}}}", "{users(search:\"\"\"\\\"\"\"\"\"\"){nodes{id}}}", "{users(search:\"\"\"\\u{1F600}\\q\"\"\"){nodes{id}}}", "{users(search:\"unended){nodes{id}}}",
    '"what it is for" query Q{me{id}}', '"""what it is for""" query Q{me{id}}', '"no" {me{id}}', 'query Q("what it is" $n:Int){rooms(first:$n){nodes{id}}}', '{me{...F}} "what it is" fragment F on User{id}',
    "query ($n:Int=){me{id}}", "query ($n){me{id}}", "query (n:Int){me{id}}", "query ($n:Int!!){me{id}}", "query ($n:[Int){me{id}}", "query ($n:Int=$m){me{id}}", "{me{id} ...on User}", "{...{me{id}}}", "{... @include(if:true){me{id}}}",
    "{null:me{id}}", "{true:me{id}}", "{on:me{id}}", "query on{me{id}}", "query null{me{id}}", "fragment null on User{id} {me{...null}}", "query query{me{id}}", "{query:me{id}}", "subscription{events{__typename}} fragment",
    "{rooms(first:1)@include(if:true){nodes{id}}}", "{rooms @include(if:true)(first:1){nodes{id}}}", "{users(search:'a'){nodes{id}}}", "{me{id}}/* */", "{me{... on User @include(if:true){id}}}", "{me{id}}  ,,, ", "{me{id;username}}",
  ],
  operations: [
    "query A{me{id}} query B{me{username}}", "{me{id}} query B{me{id}}", "query A{me{id}} {me{id}}", "query A{me{id}} mutation A{signOut{sessionId}}", "query A{me{id}} query A{me{username}}", "fragment F on User{id}",
  ],
  fields: [
    "{me{nothing}}", "{nothing}", "{me{id{x}}}", "{me}", "{me{presence}}", "{me{presence{online{x}}}}", "{me{__typename}}", "{__typename}", "{me{__typename{x}}}", "{__schema{queryType{name}}}", "{me{__schema{queryType{name}}}}", "mutation{__typename}",
    "mutation{__schema{queryType{name}}}", "{__type(name:\"User\"){name}}", "{__type{name}}", "{__type(name:1){name}}", "{node(id:\"USER\"){id username}}", "{node(id:\"USER\"){id ...on User{username}}}", "{node(id:\"USER\"){...on Room{id}}}",
    "{node(id:\"ROOM\"){...on User{username}}}", "{node(id:\"ROOM\"){...on Node{id}}}", "{me{...on Node{id}}}", "{me{...on Event{at}}}", "{me{...on Room{id}}}", "{node(id:\"USER\"){...on Event{at}}}", "{node(id:\"USER\"){...on Presence{online}}}",
    "{me{...on Nothing{id}}}", "{me{...on RoomType{id}}}", "{me{...on SignInInput{id}}}", "{me{...on DateTime{id}}}", "{nodes(ids:[\"USER\",\"ROOM\",\"nothing\"]){id ...on User{username} ...on Room{type}}}", "{nodes(ids:[\"USER\",\"ROOM\"]){...on Message{body}}}",
    "{Me{id}}", "{me{ID}}", "query{messagePosted{id}}", "mutation{me{id}}", "subscription{me{id}}", "{rooms{edges{cursor node{id}} pageInfo{hasNextPage endCursor}}}", "{rooms{__typename nodes{__typename}}}",
  ],
  fragments: [
    "{me{...F}} fragment F on User{id}", "{me{...F}}", "{me{id}} fragment F on User{id}", "{me{...F}} fragment F on User{...F}", "{me{...F}} fragment F on User{...G} fragment G on User{...F}", "{me{...F}} fragment F on User{id ...G} fragment G on User{username}",
    "{me{...F}} fragment F on Node{id}", "{me{...F}} fragment F on Room{id}", "{me{...F}} fragment F on Nothing{id}", "{me{...F}} fragment F on UserType{id}", "{me{...F}} fragment F on User{id} fragment F on User{username}", "{...F} fragment F on Query{me{id}}",
    "{...F} fragment F on Mutation{signOut{sessionId}}", "{me{id ...on User{...F}}} fragment F on User{id username}", "{node(id:\"USER\"){...F}} fragment F on User{username}", "{node(id:\"USER\"){...F}} fragment F on Node{...G} fragment G on User{username}",
    "{me{...F ...F}} fragment F on User{id}", "{me{id}} fragment F on User{nothing}", "{me{...F}} fragment F on User{presence{...G}} fragment G on Presence{online}", "{me{...F}} fragment F on User{presence{...G}} fragment G on User{id}", "{me{...F}} fragment F on User{}",
    "query A{me{...F}} query B{me{...F}} fragment F on User{id}", "{me{... @skip(if:false){id}}}", "{me{...F @skip(if:true)}} fragment F on User{id}",
  ],
  merging: [
    "{me{x:id x:username}}", "{me{id:username id}}", "{a:me{id} a:me{username}}", "{me{id} me{username}}", "{me{presence{online}} me{presence{lastSeenAt}}}", "{me{p:presence{online}} me{p:createdAt}}", "{rooms(first:1){nodes{id}} rooms(first:2){nodes{id}}}",
    "{rooms(first:1){nodes{id}} rooms{nodes{id}}}", "{rooms(first:1){nodes{id}} rooms(first:1){nodes{type}}}", "{rooms(first:1,after:null){nodes{id}} rooms(after:null,first:1){nodes{type}}}", "{users(search:\"a\"){nodes{id}} users(search:\"\"\"a\"\"\"){nodes{id}}}",
    "{node(id:\"USER\"){...on User{x:username} ...on Room{x:type}}}", "{node(id:\"USER\"){...on User{x:username} ...on Room{x:id}}}", "{node(id:\"USER\"){...on User{x:username} ...on Message{x:body}}}", "{node(id:\"USER\"){...on User{x:createdAt} ...on Room{x:createdAt}}}",
    "{node(id:\"USER\"){...on Room{x:initiator{id}} ...on Message{x:author{username}}}}", "{node(id:\"USER\"){...on Room{x:initiator{y:id}} ...on Message{x:author{y:username}}}}", "{node(id:\"USER\"){...on Room{x:initiator{y:id}} ...on Message{x:author{y:type}}}}",
    "{node(id:\"USER\"){...on Room{x:viewer{lastReadSeq}} ...on Message{x:author{id}}}}", "{node(id:\"USER\"){...on Room{x:lastMessage{body}} ...on Message{x:room{type}}}}", "{node(id:\"USER\"){...on Room{x:lastMessage{y:body}} ...on Message{x:room{y:type}}}}",
    "{node(id:\"USER\"){...on Message{x:readBy{readAt}} ...on User{x:presence{online}}}}", "{node(id:\"USER\"){...on Message{x:deletedAt} ...on User{x:createdAt}}}", "{node(id:\"USER\"){...on Message{x:seq} ...on User{x:username}}}", "{me{...F ...G}} fragment F on User{x:id} fragment G on User{x:username}",
    "{me{...F x:username}} fragment F on User{x:id}", "{me{...F}} fragment F on User{x:id ...G} fragment G on User{x:username}", "{me{id}} fragment F on User{x:id x:username}", "{rooms(first:1){nodes{...F ...G}}} fragment F on Room{messages(last:1){nodes{id}}} fragment G on Room{messages(last:2){nodes{id}}}",
    "{me{id @skip(if:true) id}}", "{me{id @skip(if:true) id @include(if:false)}}", "{me{x:id @skip(if:true) x:username @skip(if:false)}}", "mutation{a:muteRoom(roomId:\"ROOM\",muted:true){room{id}} a:muteRoom(roomId:\"ROOM\",muted:false){room{id}}}",
    "{me{__typename:id}}", "{me{a:__typename a:id}}", "{__typename a:__typename}", "{rooms{nodes{m:messages(first:1){nodes{id}} m:messages(last:1){nodes{id}}}}}", "{me{username} ...on Query{me{id}}}", "{a:me{username} ...on Query{a:node(id:\"USER\"){id}}}",
  ],
  arguments: [
    "{node{id}}", "{node(id:null){id}}", "{node(id:\"USER\",id:\"USER\"){id}}", "{node(ids:\"USER\"){id}}", "{node(id:\"USER\",x:1){id}}", "{me(x:1){id}}", "{rooms(first:null){nodes{id}}}", "{rooms(First:1){nodes{id}}}", "{nodes(ids:null){id}}", "{nodes(ids:[]){id}}", "{nodes(ids:[null]){id}}",
    "{nodes(ids:\"USER\"){id}}", "{nodes(ids:[\"USER\"]){id}}", "{nodes(ids:[[\"USER\"]]){id}}", "{nodes(ids:5){id}}", "{nodes(ids:[1,\"2\"]){id}}", "{nodes(ids:{a:1}){id}}", "{rooms(first:1 first:2){nodes{id}}}", "{me{id @include(if:true,if:false)}}", "{me{id @include(if:true,x:1)}}", "{me{id @include(iff:true)}}",
  ],
  values: [
    "{rooms(first:5.0){nodes{id}}}", "{rooms(first:1e0){nodes{id}}}", "{rooms(first:\"1\"){nodes{id}}}", "{rooms(first:true){nodes{id}}}", "{rooms(first:ONE){nodes{id}}}", "{rooms(first:[1]){nodes{id}}}", "{rooms(first:{a:1}){nodes{id}}}", "{rooms(first:2147483647){nodes{id}}}", "{rooms(first:2147483648){nodes{id}}}",
    "{rooms(first:-2147483648){nodes{id}}}", "{rooms(first:-2147483649){nodes{id}}}", "{rooms(first:99999999999999999999){nodes{id}}}", "{rooms(first:-1){nodes{id}}}", "{node(id:1){id}}", "{node(id:9223372036854775808){id}}", "{node(id:99999999999999999999999){id}}", "{node(id:-1){id}}", "{node(id:1.0){id}}", "{node(id:true){id}}",
    "{node(id:USER){id}}", "{node(id:[\"USER\"]){id}}", "{node(id:{}){id}}", "{users(search:1){nodes{id}}}", "{users(search:true){nodes{id}}}", "{users(search:a){nodes{id}}}", "{users(search:[\"a\"]){nodes{id}}}", "{users(search:null){nodes{id}}}", "{users(search:\"\"){nodes{id}}}", "{me{id @include(if:\"true\")}}", "{me{id @include(if:1)}}",
    "{me{id @include(if:null)}}", "{me{id @include(if:[true])}}", "mutation{initiateChat(userIds:[\"USER\"],type:\"CONSUMER_TO_CONSUMER\"){isNew}}", "mutation{initiateChat(userIds:[\"USER\"],type:CONSUMER_TO_CONSUMER){isNew}}", "mutation{initiateChat(userIds:\"USER\",type:CONSUMER_TO_CONSUMER){isNew}}",
    "mutation{initiateChat(userIds:[\"USER\"],type:consumer_to_consumer){isNew}}", "mutation{initiateChat(userIds:[\"USER\"],type:NOTHING){isNew}}", "mutation{initiateChat(userIds:[\"USER\"],type:TEXT){isNew}}", "mutation{initiateChat(userIds:[\"USER\"],type:[CONSUMER_TO_CONSUMER]){isNew}}", "mutation{initiateChat(userIds:[\"USER\"],type:1){isNew}}",
    "mutation{initiateChat(userIds:[\"USER\"],type:null){isNew}}", "mutation{initiateChat(userIds:[\"USER\"],type:true){isNew}}", "mutation{muteRoom(roomId:\"ROOM\",muted:\"true\"){room{id}}}", "mutation{muteRoom(roomId:\"ROOM\",muted:1){room{id}}}", "mutation{muteRoom(roomId:\"ROOM\",muted:TRUE){room{id}}}", "mutation{muteRoom(roomId:\"ROOM\",muted:false){room{id}}}",
    "mutation{markRead(roomId:\"ROOM\",seq:1.0){room{id}}}", "mutation{markRead(roomId:\"ROOM\",seq:\"1\"){room{id}}}", "mutation{markRead(roomId:\"ROOM\",seq:1){room{id}}}", "mutation{postMessage(roomId:\"ROOM\",body:\"b\",clientId:12345678901234567890){message{clientId}}}", "mutation{postMessage(roomId:\"ROOM\",body:\"b\",clientId:null){message{clientId}}}",
    "mutation{postMessage(roomId:\"ROOM\",body:5){message{body}}}", "mutation{postMessage(roomId:\"ROOM\",body:null){message{body}}}",
  ],
  objects: [
    "{username:\"a\",password:\"p\",displayName:\"a\"}", "{username:\"a\",password:\"p\"}", "{username:\"a\",password:\"p\",displayName:null}", "{username:\"a\",password:\"p\",displayName:\"a\",client:null}", "{username:\"a\",password:\"p\",displayName:\"a\",client:\"c\"}", "{username:\"a\",username:\"a\",password:\"p\",displayName:\"a\"}",
    "{username:\"a\",password:\"p\",displayName:\"a\",x:1}", "{username:1,password:\"p\",displayName:\"a\"}", "{username:[\"a\"],password:\"p\",displayName:\"a\"}", "{}", "null", "[]", "\"a\"", "1", "[{username:\"a\",password:\"p\",displayName:\"a\"}]", "{username:\"a\",password:\"p\",displayName:a}", "{Username:\"a\",password:\"p\",displayName:\"a\"}",
  ].map((input) => `mutation{signUp(input:${input}){user{id}}}`),
  directives: [
    "{me{id @nothing}}", "{me @nothing{id}}", "query @nothing{me{id}}", "query @skip(if:true){me{id}}", "query @include(if:true){me{id}}", "{me{id @deprecated}}", "{me{id @specifiedBy(url:\"a\")}}", "{me{id @skip}}", "{me{id @include}}", "{me{id @skip(if:true) @skip(if:true)}}", "{me{id @skip(if:true) @include(if:true)}}",
    "{me{id @skip(if:false) @include(if:true)}}", "{me{...F @nothing}} fragment F on User{id}", "{me{...F}} fragment F on User @skip(if:true){id}", "{me{...F}} fragment F on User @nothing{id}", "{me{...on User @nothing{id}}}", "query($n:Int @nothing){rooms(first:$n){nodes{id}}}", "query($n:Int @skip(if:true)){rooms(first:$n){nodes{id}}}",
    "query($n:Int @deprecated){rooms(first:$n){nodes{id}}}", "mutation @skip(if:true){__typename}", "{me{...@skip(if:true)@skip(if:true){id}}}", "{me @skip(if:true){id}}", "{me @include(if:false){id}}", "{me{presence @skip(if:true){online}}}", "{node(id:\"USER\") @skip(if:true){id}}", "{node(id:\"USER\"){id @skip(if:true)}}", "{nodes(ids:[\"USER\"]){id @skip(if:true)}}",
    "{rooms(first:1){nodes{id @skip(if:true)}}}", "{me{presence{online @skip(if:true)}}}", "{...F @skip(if:true)} fragment F on Query{me{id}}", "mutation{muteRoom(roomId:\"ROOM\",muted:false) @skip(if:true){room{id}}}", "{me{id @defer}}", "{me{...on User @defer{id}}}", "{rooms(first:1){nodes @stream{id}}}", "{me{id @oneOf}}", "{me{...on User @skip(if:false){id} username @include(if:false)}}",
    "{me{presence{online @skip(if:true)} id}}", "{rooms(first:1){nodes{lastMessage{id @skip(if:true)} id}}}",
  ],
  subscriptions: [
    "subscription{events{__typename}}", "subscription{messagePosted{id}}", "subscription{events{__typename} messagePosted{id}}", "subscription{a:events{__typename} b:events{__typename}}", "subscription{events{__typename} events{cursor}}", "subscription{__typename}", "subscription{events{__typename} __typename}", "subscription{events}", "subscription{events{nothing}}",
    "subscription{...F} fragment F on Subscription{events{__typename}}", "subscription{...on Subscription{events{__typename}}}", "subscription{...{events{__typename}}}", "subscription{...F ...F} fragment F on Subscription{events{__typename cursor}}", "subscription{...F ...G} fragment F on Subscription{events{__typename}} fragment G on Subscription{events{at}}",
    "subscription{...F ...G} fragment F on Subscription{events{__typename}} fragment G on Subscription{messagePosted{id}}", "subscription{...F} fragment F on Subscription{...G} fragment G on Subscription{...{x:events{__typename}}}", "subscription{...F} fragment F on Subscription{events{__typename} messagePosted{id}}", "subscription{...F} fragment F on Query{me{id}}", "subscription{...F}",
    "subscription{events @skip(if:false){__typename}}", "subscription{events @skip(if:true){__typename}}", "subscription{events @include(if:true){__typename}}", "subscription{...F @include(if:true)} fragment F on Subscription{events{__typename}}", "subscription{... @include(if:true){events{__typename}}}", "subscription{...F} fragment F on Subscription{events @include(if:true){__typename}}",
    "subscription{events{__typename @skip(if:false) cursor @skip(if:true)}}", "subscription{events(after:1){__typename}}", "subscription{events(after:null){__typename}}", "subscription{events(after:\"garbage\"){__typename}}", "subscription{events(after:[\"a\"]){__typename}}", "subscription{messagePosted(roomId:null){id}}", "subscription{messagePosted(roomId:\"ROOM\"){id}}",
    "subscription{events{__typename ...on Synced{cursor} ...on MessagePosted{message{id body}}}}", "subscription{events{__typename ...F}} fragment F on Event{at ...G} fragment G on Synced{cursor}", "subscription{events{__typename ...on User{id}}}", "subscription{events{__typename ...on MessagePosted{x:message{id}} ...on TypingChanged{x:room{id}}}}",
    "subscription{events{__typename ...on RoomGap{x:fromSeq} ...on Synced{x:cursor}}}", "subscription S{events{__typename}} subscription T{events{__typename}}", "subscription{x:events{__typename at}}", "subscription{__schema{queryType{name}}}", "subscription @skip(if:true){events{__typename}}",
  ],
};

/** What is put in for one variable of a type: as JSON, or left out. */
const GIVEN = {
  Int: ["", "null", "1", "1.0", "1e0", "1.5", "\"1\"", "true", "[1]", "2147483648", "-0", "-0.0", "{}", "1E+0", "10e-1", "0.1e1", "99999999999999999999"],
  ID: ["", "null", "\"USER\"", "1", "9223372036854775807", "9223372036854775808", "18446744073709551616", "123456789012345678901234567890", "-1", "true", "[\"USER\"]", "1.5", "{}", "\"\"", "-9223372036854775809"],
  String: ["", "null", "\"a\"", "\"\"", "1", "true", "[\"a\"]", "{}", "\"\\ud83d\\ude00\""],
  Boolean: ["", "null", "true", "false", "1", "0", "\"true\"", "[true]"],
  RoomType: ["", "null", "\"CONSUMER_TO_CONSUMER\"", "\"CONSUMER_TO_SUPPORT\"", "\"NOTHING\"", "\"consumer_to_consumer\"", "1", "[\"CONSUMER_TO_CONSUMER\"]", "true"],
  Cursor: ["", "null", "\"garbage\"", "1", "[\"a\"]", "{}"],
  IDs: ["", "null", "[]", "\"USER\"", "[\"USER\"]", "[null]", "[[\"USER\"]]", "[1,\"USER\"]", "5", "[true]", "{}", "[1.5]", "[18446744073709551616]"],
  SignUpInput: [
    "", "null", "{}", "[]", "\"a\"", "{\"username\":\"a\",\"password\":\"p\",\"displayName\":\"a\"}", "{\"username\":\"a\",\"password\":\"p\",\"displayName\":null}", "{\"username\":\"a\",\"password\":\"p\"}", "{\"username\":\"a\",\"password\":\"p\",\"displayName\":\"a\",\"client\":null}",
    "{\"username\":\"a\",\"password\":\"p\",\"displayName\":\"a\",\"x\":1}", "{\"username\":1,\"password\":\"p\",\"displayName\":\"a\"}", "{\"username\":[\"a\"],\"password\":\"p\",\"displayName\":\"a\"}", "[{\"username\":\"a\",\"password\":\"p\",\"displayName\":\"a\"}]",
  ],
};

/** Documents that use the variable `$v`, with what is declared, and which of {@link GIVEN} it is given. */
const VARIABLES = [
  ...["Int", "Int!", "Int = 1", "Int! = 1", "Int = null", "Int! = null", "Int = \"1\"", "Int = 1.5", "[Int]", "[Int!]!", "String", "Float", "ID", "Boolean", "Nothing", "User", "RoomType", "SignUpInput", "Node"].map((type) => [`query($v:${type}){rooms(first:$v){nodes{id}}}`, "Int"]),
  ...["ID", "ID!", "ID = \"USER\"", "ID! = \"USER\"", "ID = null", "ID = 5", "ID = 1.5", "ID = 99999999999999999999", "Int!", "String!", "[ID!]!", "Cursor!"].map((type) => [`query($v:${type}){node(id:$v){id}}`, "ID"]),
  ...["ID!", "ID", "String!", "Int!", "ID = \"USER\""].map((type) => [`query($v:${type}){nodes(ids:[$v]){id}}`, "ID"]),
  ...["[ID!]!", "[ID!]", "[ID]!", "[ID]", "ID!", "[ID!]! = []", "[ID!] = [\"USER\"]", "[ID!]! = \"USER\"", "[ID!]! = null", "[ID!]! = [null]", "[[ID!]!]!", "[String!]!", "[Int!]!"].map((type) => [`query($v:${type}){nodes(ids:$v){id}}`, "IDs"]),
  ...["String", "String!", "String = \"a\"", "String = a", "String = 1", "ID", "Cursor", "[String]"].map((type) => [`query($v:${type}){users(search:$v){nodes{id}}}`, "String"]),
  ...["Boolean", "Boolean!", "Boolean = true", "Boolean! = true", "Boolean = false", "Boolean! = false", "Boolean = null", "Int!", "String!", "[Boolean!]!"].flatMap((type) => [
    [`query($v:${type}){me{id username @include(if:$v)}}`, "Boolean"], [`query($v:${type}){me{id username @skip(if:$v)}}`, "Boolean"],
  ]),
  ...["Boolean!", "Boolean", "Boolean = true", "Boolean! = true"].flatMap((type) => [
    [`query($v:${type}){me @skip(if:$v){id}}`, "Boolean"], [`query($v:${type}){me{...F @include(if:$v)}} fragment F on User{id}`, "Boolean"], [`query($v:${type}){me{...F}} fragment F on User{id presence{online @skip(if:$v)}}`, "Boolean"],
    [`query($v:${type}){node(id:"USER"){... on User @include(if:$v){username}}}`, "Boolean"], [`query($v:${type}){nodes(ids:["USER"]){... on User @include(if:$v){username}}}`, "Boolean"], [`mutation($v:${type}){muteRoom(roomId:"ROOM",muted:$v){room{id}}}`, "Boolean"],
  ]),
  ...["RoomType!", "RoomType", "RoomType! = CONSUMER_TO_CONSUMER", "RoomType = CONSUMER_TO_CONSUMER", "RoomType = \"CONSUMER_TO_CONSUMER\"", "String!", "UserType!"].map((type) => [`mutation($v:${type}){initiateChat(userIds:["USER"],type:$v){isNew}}`, "RoomType"]),
  ...["SignUpInput!", "SignUpInput", "SignUpInput! = {username:\"a\",password:\"p\",displayName:\"a\"}", "SignUpInput! = {username:\"a\"}", "SignInInput!", "[SignUpInput!]!", "String!"].map((type) => [`mutation($v:${type}){signUp(input:$v){user{id}}}`, "SignUpInput"]),
  ...["String!", "String", "String! = \"a\"", "String = \"a\"", "ID!", "Int!"].map((type) => [`mutation($v:${type}){signUp(input:{username:$v,password:"p",displayName:"a"}){user{id}}}`, "String"]),
  ...["String", "String!", "ID"].map((type) => [`mutation($v:${type}){signUp(input:{username:"a",password:"p",displayName:"a",client:$v}){user{id}}}`, "String"]),
  ...["Cursor", "Cursor!", "String", "ID"].map((type) => [`subscription($v:${type}){events(after:$v){__typename}}`, "Cursor"]),
  ...["ID", "ID!", "ID = \"ROOM\"", "String"].map((type) => [`subscription($v:${type}){messagePosted(roomId:$v){id}}`, "ID"]),
  ...["Boolean!", "Boolean! = true"].flatMap((type) => [[`subscription($v:${type}){events @include(if:$v){__typename}}`, "Boolean"], [`subscription($v:${type}){events{__typename cursor @include(if:$v)}}`, "Boolean"]]),
  ["query($v:Int,$v:Int){rooms(first:$v){nodes{id}}}", "Int"], ["{rooms(first:$v){nodes{id}}}", "Int"], ["query($v:Int){me{id}}", "Int"], ["query($w:Int){rooms(first:$v){nodes{id}}}", "Int"], ["query($v:Int){...F} fragment F on Query{rooms(first:$v){nodes{id}}}", "Int"],
  ["query($v:String){...F} fragment F on Query{rooms(first:$v){nodes{id}}}", "Int"], ["query A($v:Int){...F} query B{...F} fragment F on Query{rooms(first:$v){nodes{id}}}", "Int"], ["query($v:Int){me{id}} fragment F on Query{rooms(first:$v){nodes{id}}}", "Int"], ["query($v:Nothing){me{id}}", "Int"],
  ["query($v:Int){rooms(first:[$v]){nodes{id}}}", "Int"], ["query($v:Int!){rooms(first:1){nodes{messages(last:$v){nodes{id}} m:messages(first:$v){nodes{id}}}}}", "Int"], ["mutation($v:ID!){a:postMessage(roomId:\"ROOM\",body:\"first\"){message{id}} b:postMessage(roomId:$v,body:\"second\"){message{id}}}", "ID"],
  ["mutation($v:Int!){a:postMessage(roomId:\"ROOM\",body:\"first\"){message{id}} b:markRead(roomId:\"ROOM\",seq:$v){room{id}}}", "Int"], ["mutation($v:Boolean!){a:postMessage(roomId:\"ROOM\",body:\"first\"){message{id}} b:muteRoom(roomId:\"ROOM\",muted:false){room{id @skip(if:$v)}}}", "Boolean"],
];

/** Several operations in a document: the chosen one alone needs its variables. */
const CHOICES = [
  ["query A{me{id}} query B($v:Int!){rooms(first:$v){nodes{id}}}", "A"], ["query A{me{id}} query B($v:Int!){rooms(first:$v){nodes{id}}}", "B"], ["query A{me{id}} query B($v:Int!){rooms(first:$v){nodes{id}}}", "C"], ["query A{me{id}} query B{nothing}", "A"],
  ["query A($v:Int!){rooms(first:$v){nodes{id}}} query B($v:String){users(search:$v){nodes{id}}}", "A"], ["query A($v:Int!){rooms(first:$v){nodes{id}}} query B($v:String){users(search:$v){nodes{id}}}", "B"], ["query A{me{id}}", "A"], ["query A{me{id}}", "B"], ["{me{id}}", "A"],
  ["query A{me{id}} mutation B{muteRoom(roomId:\"ROOM\",muted:false){room{id}}}", "A"], ["query A{me{id}} mutation B{muteRoom(roomId:\"ROOM\",muted:false){room{id}}}", "B"], ["query A{me{id}} subscription B{events{__typename}}", "A"], ["query A{me{id}} subscription B{events{__typename}}", "B"],
  ["query A{me{id}} subscription B{events{__typename} messagePosted{id}}", "A"],
];

/** All requests, each once. @returns {{ rule: string, query: string, variables?: string, operationName?: string }[]} */
export function handwritten() {
  const plain = Object.entries(DOCUMENTS).flatMap(([rule, queries]) => queries.map((query) => ({ rule, query })));
  const given = VARIABLES.flatMap(([query, kind]) =>
    GIVEN[kind].map((value) => ({ rule: "variables", query, variables: value === "" ? "{}" : `{"v":${value}}` })));
  const chosen = CHOICES.flatMap(([query, operationName]) => [undefined, "{}", '{"v":1}', '{"v":null}', '{"v":"a","w":1}'].map((variables) =>
    ({ rule: "choice", query, operationName, variables })));
  return [...plain, ...given, ...chosen];
}
