-- Orleans' ADO.NET clustering (10.4.2) reads its statements from a table. It changes a row only together with the version of the
-- whole table: BEGIN IMMEDIATE and changes() stand in for the procedures of other databases.
CREATE TABLE IF NOT EXISTS OrleansQuery (QueryKey TEXT NOT NULL PRIMARY KEY, QueryText TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS OrleansMembershipVersionTable (
  DeploymentId TEXT NOT NULL PRIMARY KEY,
  Timestamp TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f','now')),
  Version INTEGER NOT NULL DEFAULT 0);

CREATE TABLE IF NOT EXISTS OrleansMembershipTable (
  DeploymentId TEXT NOT NULL REFERENCES OrleansMembershipVersionTable(DeploymentId),
  Address TEXT NOT NULL, Port INTEGER NOT NULL, Generation INTEGER NOT NULL,
  SiloName TEXT NOT NULL, HostName TEXT NOT NULL, Status INTEGER NOT NULL, ProxyPort INTEGER NULL,
  SuspectTimes TEXT NULL, StartTime TEXT NOT NULL, IAmAliveTime TEXT NOT NULL,
  PRIMARY KEY (DeploymentId, Address, Port, Generation)) WITHOUT ROWID;

INSERT INTO OrleansQuery (QueryKey, QueryText) VALUES
('UpdateIAmAlivetimeKey','UPDATE OrleansMembershipTable SET IAmAliveTime=@IAmAliveTime
   WHERE DeploymentId=@DeploymentId AND Address=@Address AND Port=@Port AND Generation=@Generation;'),
('InsertMembershipVersionKey','INSERT INTO OrleansMembershipVersionTable(DeploymentId) VALUES(@DeploymentId) ON CONFLICT DO NOTHING;
   SELECT changes();'),
('InsertMembershipKey','BEGIN IMMEDIATE;
   INSERT INTO OrleansMembershipTable(DeploymentId,Address,Port,Generation,SiloName,HostName,Status,ProxyPort,StartTime,IAmAliveTime)
     SELECT @DeploymentId,@Address,@Port,@Generation,@SiloName,@HostName,@Status,@ProxyPort,@StartTime,@IAmAliveTime
     WHERE EXISTS(SELECT 1 FROM OrleansMembershipVersionTable WHERE DeploymentId=@DeploymentId AND Version=@Version)
     ON CONFLICT DO NOTHING;
   UPDATE OrleansMembershipVersionTable SET Timestamp=strftime(''%Y-%m-%d %H:%M:%f'',''now''), Version=Version+1
     WHERE DeploymentId=@DeploymentId AND Version=@Version AND changes()>0;
   SELECT changes();
   COMMIT;'),
('UpdateMembershipKey','BEGIN IMMEDIATE;
   UPDATE OrleansMembershipTable SET Status=@Status, SuspectTimes=@SuspectTimes, IAmAliveTime=@IAmAliveTime
     WHERE DeploymentId=@DeploymentId AND Address=@Address AND Port=@Port AND Generation=@Generation
       AND EXISTS(SELECT 1 FROM OrleansMembershipVersionTable WHERE DeploymentId=@DeploymentId AND Version=@Version);
   UPDATE OrleansMembershipVersionTable SET Timestamp=strftime(''%Y-%m-%d %H:%M:%f'',''now''), Version=Version+1
     WHERE DeploymentId=@DeploymentId AND Version=@Version AND changes()>0;
   SELECT changes();
   COMMIT;'),
('MembershipReadRowKey','SELECT v.DeploymentId,m.Address,m.Port,m.Generation,m.SiloName,m.HostName,m.Status,m.ProxyPort,m.SuspectTimes,m.StartTime,m.IAmAliveTime,v.Version
   FROM OrleansMembershipVersionTable v LEFT OUTER JOIN OrleansMembershipTable m
     ON v.DeploymentId=m.DeploymentId AND m.Address=@Address AND m.Port=@Port AND m.Generation=@Generation
   WHERE v.DeploymentId=@DeploymentId;'),
('MembershipReadAllKey','SELECT v.DeploymentId,m.Address,m.Port,m.Generation,m.SiloName,m.HostName,m.Status,m.ProxyPort,m.SuspectTimes,m.StartTime,m.IAmAliveTime,v.Version
   FROM OrleansMembershipVersionTable v LEFT OUTER JOIN OrleansMembershipTable m ON v.DeploymentId=m.DeploymentId
   WHERE v.DeploymentId=@DeploymentId;'),
('DeleteMembershipTableEntriesKey','DELETE FROM OrleansMembershipTable WHERE DeploymentId=@DeploymentId;
   DELETE FROM OrleansMembershipVersionTable WHERE DeploymentId=@DeploymentId;'),
('GatewaysQueryKey','SELECT Address,ProxyPort,Generation FROM OrleansMembershipTable
   WHERE DeploymentId=@DeploymentId AND Status=@Status AND ProxyPort>0;'),
('CleanupDefunctSiloEntriesKey','DELETE FROM OrleansMembershipTable
   WHERE DeploymentId=@DeploymentId AND IAmAliveTime<@IAmAliveTime AND Status!=3;');
